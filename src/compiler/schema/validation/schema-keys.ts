import { z } from 'zod';

type Schema = z.core.$ZodType;

/** The keys that a schema allows at a path, in any of its shapes, for hints. */
export function keysAt(schema: Schema, path: readonly PropertyKey[]): string[] {
  let here = shapes(schema);
  for (const step of path) here = here.flatMap((shape) => inside(shape, step)).flatMap(shapes);
  return here.flatMap((shape) => (shape instanceof z.ZodObject ? Object.keys(shape.shape) : []));
}

function inside(schema: Schema, step: PropertyKey): Schema[] {
  if (schema instanceof z.ZodObject) {
    const shape: Readonly<Record<string, Schema | undefined>> = schema.shape;
    return [shape[String(step)] ?? []].flat();
  }
  if (schema instanceof z.ZodArray) return [schema.element];
  return schema instanceof z.ZodRecord ? [schema.valueType] : [];
}

/** Unwraps defaults, transforms, lazy schemas and unions. */
function shapes(schema: Schema): Schema[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return shapes(schema.unwrap());
  if (schema instanceof z.ZodPipe) return shapes(schema.in);
  if (schema instanceof z.ZodLazy) return shapes(schema.unwrap());
  return schema instanceof z.ZodUnion ? schema.options.flatMap(shapes) : [schema];
}

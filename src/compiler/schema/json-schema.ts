/** The language as a JSON schema for editors, made of the same schemas that check a file. */
import { z } from 'zod';
import { DEFAULT, JOB_KEYWORDS, TOP, type KeywordInfo } from './keyword-table.ts';

/** Draft 2020-12. What davit does not support is not in it. */
export function languageSchema(): object {
  const job = z.object(shapeOf(JOB_KEYWORDS)).strict();
  const top = shapeOf(TOP);
  const file = z.object({ ...top, default: z.object(shapeOf(DEFAULT)).strict().optional() }).catchall(job);
  const schema = z.toJSONSchema(file, { io: 'input', unrepresentable: 'any' });
  return {
    ...schema,
    title: 'The pipeline file of davit',
    // Hidden jobs are templates: any value may stand in them.
    patternProperties: { '^\\.': {} },
  };
}

function shapeOf(keywords: ReadonlyMap<string, KeywordInfo>): Record<string, z.ZodType> {
  const shape: Record<string, z.ZodType> = {};
  for (const { name, note, schema } of keywords.values())
    if (schema) shape[name] = (note === undefined ? schema : schema.describe(note)).nullish();
  return shape;
}

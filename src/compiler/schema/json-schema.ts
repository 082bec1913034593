/** The language as a JSON schema for editors, from the same schemas that validate a file. */
import { z } from 'zod';
import { DEFAULT, JOB_KEYWORDS, TOP, type KeywordInfo } from './keyword-table.ts';

/** Draft 2020-12. Unsupported keywords are not in it. */
export function languageSchema(): object {
  const job = z.object(shapeOf(JOB_KEYWORDS)).strict();
  const top = shapeOf(TOP);
  const file = z.object({ ...top, default: z.object(shapeOf(DEFAULT)).strict().optional() }).catchall(job);
  const schema = z.toJSONSchema(file, { io: 'input', unrepresentable: 'any' });
  return {
    ...schema,
    title: 'The pipeline file of davit',
    // Hidden jobs are templates: they may contain any value.
    patternProperties: { '^\\.': {} },
  };
}

function shapeOf(keywords: ReadonlyMap<string, KeywordInfo>): Record<string, z.ZodType> {
  const shape: Record<string, z.ZodType> = {};
  for (const { name, note, schema } of keywords.values())
    if (schema) shape[name] = (note === undefined ? schema : schema.describe(note)).nullish();
  return shape;
}

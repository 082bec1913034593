/** `pages`: a folder of the job's artifacts is published as a site. */
import { z } from 'zod';
import { name } from './common.ts';

export const pages = z.union([
  z.boolean(),
  z.strictObject({
    publish: name.optional(),
    path_prefix: z.string().optional(),
    /** A duration after expansion, or `never`. */
    expire_in: z.union([name, z.number().transform(String)]).optional(),
  }),
]);
/** The older form of `pages: publish`. */
export const publish = name;

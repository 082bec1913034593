/** Validates path and query parameters. */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import {
  isDigest,
  isSlug,
  pipelineId,
  type Digest,
  type PipelineId,
  type ProjectSlug,
} from '../../plan/model/ids.ts';

const digestParams = z.object({ digest: z.string().refine(isDigest, 'a digest is sha256:<64 hex digits>') });
const slugParams = z.object({ slug: z.string().refine(isSlug, 'not a valid project name') });
const pipelineParams = slugParams.extend({ iid: z.string().regex(/^[1-9]\d{0,14}$/, 'a number from 1') });
const keyParams = slugParams.extend({ key: z.string().min(1).max(1_024) });

/** A separate kind of key, so that a request cannot claim the key of a forge event. */
export const requestKey = z.string().regex(/^request:[A-Za-z0-9._-]{8,128}$/, 'a key is request:UUID');

export const digestOf = (params: unknown): Digest => digestParams.parse(params).digest;
export const slugOf = (params: unknown): ProjectSlug => slugParams.parse(params).slug;
export const keyOf = (params: unknown): { slug: ProjectSlug; key: string } => keyParams.parse(params);
export function pipelineOf(params: unknown): PipelineId {
  const { slug, iid } = pipelineParams.parse(params);
  return pipelineId(slug, Number(iid));
}

const whole = z.coerce.number().int().min(0);
const logQuery = z.object({
  job: z.string().min(1).max(1_024),
  attempt: whole.min(1).optional(),
  offset: whole.default(0),
});
export const logQueryOf = (query: unknown): z.output<typeof logQuery> => logQuery.parse(query);

const jobQuery = z.object({ job: z.string().min(1).max(1_024) });
export const jobOf = (query: unknown): string => jobQuery.parse(query).job;

/** Seconds. */
const waitQuery = z.object({ wait: whole.max(20).default(0) });
export const waitOf = (query: unknown): number => waitQuery.parse(query).wait;

const reportsQuery = z.object({ reports: z.enum(['0', '1']).default('0') });
export const reportsOf = (query: unknown): boolean => reportsQuery.parse(query).reports === '1';

const listQuery = z.object({
  project: z.string().refine(isSlug, 'not a valid project name').optional(),
  limit: whole.min(1).max(200).default(20),
});
export const listQueryOf = (query: unknown): z.output<typeof listQuery> => listQuery.parse(query);

export const missing = (message: string): DavitError => new DavitError('not-found', message);

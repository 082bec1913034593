/** What a job waits for, and whose artifacts it takes: jobs of this pipeline and of others. */
import { z } from 'zod';
import { composable, name } from './common.ts';
import { neededParallel } from './parallel.ts';

/** GitLab's limit for each of the two kinds. */
const MAX_FOREIGN = 5;

/** A job of another pipeline; every field may contain variables. */
export type ForeignSource =
  | { project: string; ref: string }
  | { pipeline: string }
  /** A project instead of a job: the job takes the state of its newest pipeline. */
  | { mirrors: string };
export const mirrorOf = (list: readonly WrittenNeed[] | undefined): string | undefined =>
  list?.flatMap(({ from }) => (from && 'mirrors' in from ? [from.mirrors] : []))[0];
export interface WrittenNeed {
  job: string;
  artifacts: boolean;
  optional: boolean;
  parallel?: z.output<typeof neededParallel>;
  /** Absent: this pipeline. */
  from?: ForeignSource;
}

const written = z.strictObject({
  job: name.optional(),
  artifacts: z.boolean().default(true),
  optional: z.boolean().optional(),
  parallel: neededParallel.optional(),
  pipeline: name.optional(),
  project: name.optional(),
  ref: name.optional(),
});
type Written = z.output<typeof written>;

const hash = written.superRefine(checkShape).transform((value): WrittenNeed => {
  const { job = '', artifacts, optional = false, parallel, pipeline, project, ref = '' } = value;
  const from = sourceOf(value.job, { pipeline, project, ref });
  return { job, artifacts, optional, ...(parallel && { parallel }), ...(from && { from }) };
});

function sourceOf(
  job: string | undefined,
  { pipeline, project, ref }: { pipeline?: string; project?: string; ref: string },
): ForeignSource | undefined {
  if (pipeline !== undefined) return job === undefined ? { mirrors: pipeline } : { pipeline };
  return project === undefined ? undefined : { project, ref };
}

/** Which keys go together: GitLab's page, `needs:project` and `needs:pipeline:job`. */
function checkShape(value: Written, context: z.RefinementCtx): void {
  const report = (key: string, message: string, code = 'language/type'): void =>
    context.addIssue({ code: 'custom', path: [key], message, params: { code } });
  const foreign = (['project', 'ref', 'pipeline'] as const).find((key) => value[key] !== undefined);
  if (value.job === undefined) {
    if (value.pipeline === undefined) return report('job', 'is missing', 'language/missing');
    if (!value.artifacts) report('artifacts', 'requires a job');
  }
  if (foreign === undefined) return;
  if (foreign === 'pipeline') {
    // The other two are tried first, so neither is set.
  } else if (value.pipeline !== undefined) report('pipeline', `cannot be used together with ${foreign}`);
  else
    for (const key of ['project', 'ref'] as const)
      if (value[key] === undefined) report(key, 'is missing', 'language/missing');
  for (const key of ['optional', 'parallel'] as const)
    if (value[key] !== undefined)
      report(key, `cannot be used together with ${foreign}: it is for jobs of this pipeline`);
}

const need = z.union([
  name.transform((job): WrittenNeed => ({ job, artifacts: true, optional: false })),
  hash,
]);
/** A single need may be a map without a list. */
const writtenNeeds = z.union([composable(need.options), hash.transform((one) => [one])]);

export const needs = writtenNeeds.superRefine((list, context) => {
  // Needs with a matrix are different jobs.
  const own = list.filter(({ from, parallel }) => !from && !parallel).map(({ job }) => job);
  const twice = own.find((job, index) => own.indexOf(job) !== index);
  if (twice !== undefined) context.addIssue({ code: 'custom', message: `must not name "${twice}" twice` });
  if (list.filter(({ from }) => from && 'mirrors' in from).length > 1)
    context.addIssue({ code: 'custom', message: 'must not have more than one pipeline without a job' });
  for (const kind of ['project', 'pipeline'] as const) {
    const many = list.filter(({ from }) => from && kind in from).length;
    if (many > MAX_FOREIGN)
      context.addIssue({ code: 'custom', message: `must not have more than ${MAX_FOREIGN} with a ${kind}` });
  }
});

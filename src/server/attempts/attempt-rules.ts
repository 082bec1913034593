/**
 * What an attempt may do at the server, by the claims of its token.
 *
 * ATTEMPT-RULE-1 A log is that of the attempt, under its own dispatch number.
 * ATTEMPT-RULE-2 Records are those of the attempt, caches of its project and area, and what it gives to other pipelines
 *                under its own job. A fork writes no cache. Any other name is refused.
 * ATTEMPT-RULE-3 JSON in the blob store is read if it is the spec of the job, or pairs of texts, as a dotenv report is.
 *                Other bytes are read if the attempt was given them.
 * ATTEMPT-RULE-4 Nothing is written once the attempt is over.
 * ATTEMPT-RULE-5 Credentials are for the attempt's own job, or for the target that it deploys to.
 */
import { z } from 'zod';
import type { Readable } from 'node:stream';
import { DavitError } from '../../errors.ts';
import { sha256 } from '../../utils/sha256.ts';
import { artifactNameHash, attemptName } from '../../utils/store-names.ts';
import { pipelineWorkflowId, type Digest } from '../../plan/model/ids.ts';
import {
  adoptionRecordName,
  artifactRecordName,
  artifactsByPipelineName,
  cacheRecordName,
  deployRecordName,
  endRecordName,
  maskRecordName,
} from '../../plan/model/records.ts';
import { deployTargetOf } from '../../plan/model/queues.ts';
import type { PipelineStatus } from '../../plan/model/protocol.ts';
import type { BodyOf } from '../../adapters/http/wire.ts';
import { readChecked } from '../checked-blob.ts';
import type { ServerDeps } from '../deps.ts';
import type { Views } from '../views.ts';
import type { AttemptClaims } from './attempt-token.ts';
import type { GivenBlobs } from './given-blobs.ts';
import type { OpenAttempts } from './open-attempts.ts';

/** An upload of many files asks Temporal once. */
const BLOB_CHECK_MS = 5_000;
const HEX = '[0-9a-f]{64}';

export interface AttemptRules {
  log(attempt: AttemptClaims, ref: LogOf, epoch?: number): void;
  record(attempt: AttemptClaims, name: string, write?: { value: unknown }): Promise<void>;
  /** It has read this record. */
  looked(attempt: AttemptClaims, record: unknown): void;
  blob(attempt: AttemptClaims, digest: Digest): Promise<Readable>;
  upload(attempt: AttemptClaims): Promise<void>;
  approvals(attempt: AttemptClaims, question: BodyOf<'approvals'>): void;
  jobCredential(attempt: AttemptClaims, asked: BodyOf<'jobCredential'>): void;
  targetCredential(attempt: AttemptClaims, asked: BodyOf<'targetCredential'>): void;
}
type LogOf = Pick<AttemptClaims, 'pipeline' | 'job' | 'attempt'>;

export function attemptRules(
  { blobs, facts }: Pick<ServerDeps, 'blobs' | 'facts'>,
  { views, open, given }: { views: Pick<Views, 'status'>; open: OpenAttempts; given: GivenBlobs },
): AttemptRules {
  return {
    looked: given.looked,
    log(attempt, ref, epoch = 0) {
      const own = isOf(attempt, ref);
      const highest = attempt.kind === 'stop' ? attempt.epoch + 1 : attempt.epoch;
      if (!own || attempt.kind === 'release')
        refuse(attempt, `the log of ${ref.job} ${ref.attempt} of ${ref.pipeline}`);
      if (epoch > highest) refuse(attempt, `a log under the dispatch ${epoch}`);
    },
    async record(attempt, name, write) {
      if (attempt.kind === 'release') {
        if (!isForgetting(name, write)) refuse(attempt, `the record ${name}`);
        const names = endedAttempts(attempt, facts().installation, await views.status(attempt.pipeline));
        if (!names.some((one) => maskRecordName(one) === name)) refuse(attempt, `the record ${name}`);
      } else if (!(write ? isWritable(attempt, name) : isReadable(attempt, name)))
        refuse(attempt, `the record ${name}`);
      if (write) await open.mustBeOpen(attempt, 0);
    },
    async blob(attempt, digest) {
      if (attempt.kind !== 'job') refuse(attempt, `the blob ${digest}`);
      return readChecked(blobs, digest, async (json) => {
        if (json === undefined ? await given.isGiven(attempt, digest) : isReadableJson(attempt, json.value))
          return;
        refuse(attempt, `the blob ${digest}`);
      });
    },
    async upload(attempt) {
      if (attempt.kind !== 'job') refuse(attempt, 'an upload');
      await open.mustBeOpen(attempt, BLOB_CHECK_MS);
    },
    approvals(attempt, question) {
      if (question.project !== attempt.project || question.job !== attempt.job)
        refuse(attempt, `the approvals of ${question.job} of ${question.project}`);
    },
    jobCredential(attempt, { job, attempt: ref }) {
      const { project, protectedRef, fork } = attempt;
      const own = isOf(attempt, ref) && job.project === project && job.fork === fork;
      if (!own || job.protectedRef !== protectedRef || attempt.kind !== 'job')
        refuse(attempt, `credentials of ${ref.job} ${ref.attempt} of ${ref.pipeline}`);
    },
    targetCredential(attempt, { project, target }) {
      if (attempt.kind !== 'job' || project !== attempt.project || deployTargetOf(attempt.queue) !== target)
        refuse(attempt, `deploy tokens of ${project} for ${target}`);
    },
  };
}

const isOf = (attempt: AttemptClaims, ref: LogOf): boolean =>
  ref.pipeline === attempt.pipeline && ref.job === attempt.job && ref.attempt === attempt.attempt;

const specOf = z.object({ kind: z.string(), project: z.string(), key: z.string() });
/** What needed jobs leave as JSON: a dotenv report. */
const texts = z.record(z.string(), z.string());
function isReadableJson({ job, project }: AttemptClaims, json: unknown): boolean {
  const spec = specOf.safeParse(json).data;
  return (spec?.key === job && spec.project === project) || texts.safeParse(json).success;
}

function isReadable(attempt: AttemptClaims, name: string): boolean {
  return isOwn(attempt, name) || isCache(attempt, name);
}

function isWritable(attempt: AttemptClaims, name: string): boolean {
  if (isOwn(attempt, name)) return true;
  if (attempt.kind !== 'job') return false;
  const { number, job, project, protectedRef, fork, jobId } = attempt;
  if (name === artifactsByPipelineName(number, artifactNameHash(job))) return true;
  if (fork) return false;
  if (isCache(attempt, name)) return true;
  const area = protectedRef ? 'protected' : 'unprotected';
  const [folder = '', hash = ''] = partsOf(`given/${project}/${area}/`, name);
  return new RegExp(`^${HEX}$`).test(folder) && artifactRecordName(folder, jobId) === `${folder}/${hash}`;
}

/** Records that have the attempt's name, and those of its deployment. */
function isOwn(
  { kind, name: attempt, pipeline, job, attempt: number, queue }: AttemptClaims,
  name: string,
): boolean {
  if (name === maskRecordName(attempt) || name === endRecordName(attempt)) return true;
  const target = deployTargetOf(queue);
  if (kind !== 'job' || target === undefined) return false;
  return (
    name === deployRecordName(target, sha256(`${pipeline}/${job}/${number}`)) ||
    new RegExp(`^${escaped(adoptionRecordName(target, ''))}${HEX}$`).test(name)
  );
}

/** CKEY-1 of the worker, held here: the area follows from the ref. */
function isCache({ kind, project, protectedRef, fork }: AttemptClaims, name: string): boolean {
  if (kind !== 'job') return false;
  const areas = protectedRef && !fork ? (['protected', 'unprotected'] as const) : (['unprotected'] as const);
  return areas.some((area) =>
    new RegExp(`^${escaped(cacheRecordName(project, area, ''))}${HEX}$`).test(name),
  );
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const partsOf = (prefix: string, name: string): string[] =>
  name.startsWith(prefix) ? name.slice(prefix.length).split('/') : [];
/** The values to mask are deleted, and nothing else. */
const isForgetting = (name: string, write: { value: unknown } | undefined): boolean =>
  name.startsWith(maskRecordName('')) && JSON.stringify(write?.value) === '{"sealed":""}';

/** Names of the attempts of this run that have ended: an attempt before the present one, or one of an ended job. */
function endedAttempts(
  { pipeline, run }: AttemptClaims,
  installation: string,
  status: PipelineStatus,
): string[] {
  const of = { workflowId: pipelineWorkflowId(pipeline), runId: run };
  return status.jobs.flatMap(({ key, attempt, phase, result }) =>
    Array.from({ length: attempt }, (_, index) => index + 1)
      .filter((number) => number < attempt || phase === 'ended' || result !== undefined)
      .map((number) => attemptName(installation, of, { job: key, attempt: number })),
  );
}

function refuse({ job, attempt, pipeline }: AttemptClaims, what: string): never {
  throw new DavitError(
    'auth/denied',
    `The attempt ${job} ${attempt} of ${pipeline} has no access to ${what}.`,
    {
      hint: 'It belongs to another attempt, project or area.',
    },
  );
}

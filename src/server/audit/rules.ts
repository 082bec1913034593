/**
 * What the audit trail notes about each route. Every route that changes or decides something is here: one that
 * is missing cannot be registered. Fields are named one by one, so nothing else of a request is written down.
 */
import { INTERNAL } from '../../adapters/http/wire.ts';

export interface AuditRule {
  action: string;
  /** Fields of the JSON body; `ref.job` is a field of an object. */
  body?: readonly string[];
  /** Fields of the JSON response. */
  answer?: readonly string[];
  /** Frequent: equal requests are counted, and their number is written now and then. */
  summed?: true;
}

const LOG = ['ref.pipeline', 'ref.job', 'ref.attempt', 'epoch'] as const;

export const AUDITED: Readonly<Record<string, AuditRule>> = {
  // People
  'POST /api/v1/blobs': { action: 'source.store', answer: ['digest', 'bytes'] },
  'GET /api/v1/blobs/:digest': { action: 'blob.read' },
  'POST /api/v1/projects/:slug/pipelines': {
    action: 'pipeline.start',
    body: ['ref', 'refKind', 'sha', 'source', 'key', 'sourceBlob'],
  },
  'POST /api/v1/projects/:slug/environments/stop': {
    action: 'environment.stop',
    body: ['name'],
    answer: ['was'],
  },
  'POST /api/v1/pipelines/:slug/:iid/decisions': {
    action: 'job.decide',
    body: ['action', 'job', 'confirm'],
  },
  'POST /api/v1/pipelines/:slug/:iid/retry': { action: 'pipeline.retry' },
  'POST /api/v1/pipelines/:slug/:iid/again': { action: 'pipeline.start-again', body: ['key'] },
  'POST /api/v1/pipelines/:slug/:iid/cancel': { action: 'pipeline.cancel' },
  'POST /api/v1/collection': { action: 'blobs.collect', body: ['dryRun'], answer: ['blobs', 'bytes'] },
  'GET /api/v1/audit': { action: 'audit.read' },
  'POST /api/v1/worker-tokens': {
    action: 'worker-token.create',
    body: ['name', 'control', 'forks', 'protected_only', 'expiresInMs'],
    answer: ['id'],
  },
  'POST /api/v1/worker-tokens/revoke': {
    action: 'worker-token.revoke',
    body: ['name', 'id'],
    answer: ['revoked'],
  },
  'POST /api/v1/fleet/checks': { action: 'fleet.check', answer: ['since'] },
  'POST /api/v1/fleet/drain': { action: 'worker.drain', body: ['name', 'off'] },
  'POST /api/v1/fleet/remove': { action: 'worker.remove', body: ['name', 'force'], answer: ['revoked'] },
  'POST /api/v1/deploy-tokens/:id/revoke': {
    action: 'deploy-token.revoke',
    answer: ['target', 'repository'],
  },
  'POST /api/v1/codec/decode': { action: 'payloads.open', summed: true },
  'POST /api/v1/codec/encode': { action: 'payloads.seal', summed: true },
  'POST /login': { action: 'session.begin' },
  'POST /logout': { action: 'session.end' },
  // Jobs, targets and people with a password
  'GET /registry/token': { action: 'registry.token', summed: true },
  'POST /git/:name/git-upload-pack': { action: 'git.read', summed: true },
  // Forges
  'POST /webhooks/:forge': { action: 'webhook', answer: ['project', 'key', 'ignored'] },
  'POST /webhooks/:forge/:slug': { action: 'webhook', answer: ['project', 'key', 'ignored'] },
  // Workers
  [`PUT ${INTERNAL}/blobs`]: { action: 'blob.store', summed: true },
  [`POST ${INTERNAL}/records/put-if-absent`]: { action: 'record.create', body: ['name'], summed: true },
  [`POST ${INTERNAL}/records/put`]: { action: 'record.write', body: ['name'], summed: true },
  [`POST ${INTERNAL}/records/get`]: { action: 'record.read', body: ['name'], summed: true },
  [`POST ${INTERNAL}/records/list`]: { action: 'record.list', body: ['prefix'], summed: true },
  [`POST ${INTERNAL}/records/allocate`]: { action: 'number.allocate', body: ['counter'], summed: true },
  [`POST ${INTERNAL}/logs/open`]: { action: 'log.open', body: LOG, summed: true },
  [`POST ${INTERNAL}/logs/append`]: { action: 'log.append', summed: true },
  [`POST ${INTERNAL}/logs/end`]: { action: 'log.end', body: LOG, summed: true },
  [`POST ${INTERNAL}/logs/state`]: { action: 'log.read', summed: true },
  [`POST ${INTERNAL}/logs/read`]: { action: 'log.read', summed: true },
  [`POST ${INTERNAL}/workers`]: { action: 'worker.report', body: ['id', 'version'], summed: true },
  [`POST ${INTERNAL}/workers/leave`]: { action: 'worker.leave', body: ['id'], summed: true },
  [`POST ${INTERNAL}/attempts`]: { action: 'attempt.token', body: LOG, summed: true },
  [`POST ${INTERNAL}/seal`]: { action: 'value.seal', summed: true },
  [`POST ${INTERNAL}/unseal`]: { action: 'value.open', summed: true },
  [`POST ${INTERNAL}/proofs`]: { action: 'message.sign', body: ['message.kind'], summed: true },
  [`POST ${INTERNAL}/credentials/job`]: {
    action: 'job-token.create',
    body: ['attempt.pipeline', 'attempt.job', 'attempt.attempt'],
    summed: true,
  },
  [`POST ${INTERNAL}/credentials/target`]: {
    action: 'deploy-token.give',
    body: ['project', 'target', 'repository'],
    summed: true,
  },
  [`POST ${INTERNAL}/credentials/pull`]: { action: 'pull-token.create', body: ['repository'], summed: true },
  [`POST ${INTERNAL}/approvals`]: { action: 'approval.check', body: ['project', 'job'], summed: true },
  [`POST ${INTERNAL}/changes`]: { action: 'change.tell', summed: true },
};

/** Methods that read. */
const READS = new Set(['GET', 'HEAD', 'OPTIONS']);
export const isMissing = (method: string, url: string): boolean =>
  !READS.has(method) && AUDITED[`${method} ${url}`] === undefined;

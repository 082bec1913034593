/** Connects server, CLI and workers to Temporal, with retries, and prepares the namespace. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  isGrpcServiceError,
  makeGrpcRetryInterceptor,
} from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { DavitError } from '../errors.ts';
import { SEARCH_ATTRIBUTES } from '../plan/model/protocol.ts';
import { constant, retry } from '../utils/retry.ts';
import { NO_SECURITY, type TemporalSecurity } from './security.ts';
import { queryRetries } from './queries.ts';

const RETENTION_DAYS = 30;
const RETRY_MS = 200;
const MAX_RETRY_MS = 1_000;
const MAX_WATCHED_RETRY_MS = 250;
const CONNECT_MS = 5_000;
const GRPC_ALREADY_EXISTS = 6;
const GRPC_NOT_FOUND = 5;
/** temporal.api.enums.v1.IndexedValueType */
const KEYWORD = 2;
const KEYWORD_LIST = 7;

export interface TemporalAddress {
  /** host:port of the frontend. */
  address: string;
  namespace: string;
  security?: TemporalSecurity | undefined;
  /** How long to retry while the server is unreachable; 60 s. */
  deadlineMs?: number;
  /**
   * Once it is aborted no call is retried: a retry on a connection that was closed meanwhile ends the
   * process.
   */
  over?: AbortSignal;
}

/**
 * Connects, and creates the namespace (30 days of retention) and davit's five search attributes if they are
 * missing. Rejects with `temporal/unreachable` if no server responds before the deadline.
 */
export async function connectTemporal(
  options: TemporalAddress,
): Promise<{ client: Client; connection: Connection }> {
  const { connection: secured, converter } = options.security ?? NO_SECURITY;
  const deadline = Date.now() + (options.deadlineMs ?? 60_000);
  const connection = await retryUntil(options.address, deadline, () =>
    Connection.connect({
      address: options.address,
      ...secured,
      interceptors: [retries(options.over)],
      connectTimeout: Math.min(CONNECT_MS, Math.max(RETRY_MS, deadline - Date.now())),
    }),
  );
  await retryUntil(options.address, deadline, () => ensureNamespace(connection, options.namespace));
  const { namespace } = options;
  const interceptors = { workflow: [queryRetries(connection, namespace)] };
  return { connection, client: new Client({ connection, namespace, interceptors, ...converter }) };
}

const untilSignal = new AsyncLocalStorage<AbortSignal>();

/** Calls within `work` are retried at least every 250 ms until the signal is aborted, and not after that. */
export const callUntil = <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
  untilSignal.run(signal, work);

/** Like the SDK's own retries, but at most `MAX_RETRY_MS` apart, and none after `over` is aborted. */
function retries(over: AbortSignal | undefined): ReturnType<typeof makeGrpcRetryInterceptor> {
  const defaults = defaultGrpcRetryOptions();
  const usual = makeGrpcRetryInterceptor({
    retryableDecider: (attempt, status) =>
      over?.aborted !== true && defaults.retryableDecider(attempt, status),
    delayFunction: (attempt, status) => Math.min(MAX_RETRY_MS, defaults.delayFunction(attempt, status)),
  });
  const watched = (signal: AbortSignal) =>
    makeGrpcRetryInterceptor({
      retryableDecider: (_, status) =>
        over?.aborted !== true && !signal.aborted && defaults.retryableDecider(1, status),
      delayFunction: (attempt, status) =>
        Math.min(MAX_WATCHED_RETRY_MS, defaults.delayFunction(attempt, status)),
    });
  return (options, next) => {
    const signal = untilSignal.getStore();
    return (signal ? watched(signal) : usual)(options, next);
  };
}

/** Idempotent; several processes may do it at once. */
async function ensureNamespace(connection: Connection, namespace: string): Promise<void> {
  if (!(await hasNamespace(connection, namespace))) {
    await unlessThere(() =>
      connection.workflowService.registerNamespace({
        namespace,
        workflowExecutionRetentionPeriod: msToTs(`${RETENTION_DAYS} days`),
      }),
    );
  }
  const known = await connection.operatorService.listSearchAttributes({ namespace });
  for (const [field, name] of Object.entries(SEARCH_ATTRIBUTES)) {
    if (known.customAttributes?.[name] !== undefined) continue;
    const type = field === 'waitingFor' ? KEYWORD_LIST : KEYWORD;
    await unlessThere(() =>
      connection.operatorService.addSearchAttributes({ namespace, searchAttributes: { [name]: type } }),
    );
  }
  // A server caches its namespaces: only a call about workflows shows that the new one is usable.
  await connection.workflowService.listWorkflowExecutions({
    namespace,
    pageSize: 1,
    query: `${SEARCH_ATTRIBUTES.state} = "none"`,
  });
}

async function hasNamespace(connection: Connection, namespace: string): Promise<boolean> {
  try {
    await connection.workflowService.describeNamespace({ namespace });
    return true;
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === GRPC_NOT_FOUND) return false;
    throw error;
  }
}

/** If another process was faster, that is a success. */
async function unlessThere(make: () => Promise<unknown>): Promise<void> {
  try {
    await make();
  } catch (error) {
    if (!(isGrpcServiceError(error) && error.code === GRPC_ALREADY_EXISTS)) throw error;
  }
}

async function retryUntil<T>(address: string, deadline: number, attempt: () => Promise<T>): Promise<T> {
  try {
    return await retry(attempt, {
      retryable: () => true,
      backoff: constant(RETRY_MS),
      forMs: deadline - Date.now(),
    });
  } catch (cause) {
    throw new DavitError('temporal/unreachable', `No Temporal server responds at ${address}.`, { cause });
  }
}

const ASK_MS = 5_000;

/** Whether Temporal answers now. Rejects with `temporal/unreachable`. */
export async function askTemporal({ connection }: Client, address: string): Promise<void> {
  try {
    await connection.withDeadline(Date.now() + ASK_MS, () => connection.workflowService.getSystemInfo({}));
  } catch (cause) {
    throw new DavitError('temporal/unreachable', `No Temporal server responds at ${address}.`, { cause });
  }
}

/** The way into Temporal for server, CLI and workers: connect with patience, and make the namespace what davit needs. */
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
import { questions } from './queries.ts';

const RETENTION_DAYS = 30;
const RETRY_MS = 200;
const RETRY_MOST_MS = 1_000;
const RETRY_SOON_MS = 250;
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
  /** How long an unreachable server is asked again; 60 s. */
  deadlineMs?: number;
  /** Once it is aborted no call is tried again: the SDK's next try on a connection that was closed meanwhile ends the process. */
  over?: AbortSignal;
}

/**
 * Connects, and creates the namespace (30 days of retention) and davit's five search attributes where they are missing.
 * Rejects with `temporal/unreachable` when no server answers before the deadline.
 */
export async function connectTemporal(
  options: TemporalAddress,
): Promise<{ client: Client; connection: Connection }> {
  const deadline = Date.now() + (options.deadlineMs ?? 60_000);
  const connection = await retryUntil(options.address, deadline, () =>
    Connection.connect({
      address: options.address,
      interceptors: [retries(options.over)],
      connectTimeout: Math.min(CONNECT_MS, Math.max(RETRY_MS, deadline - Date.now())),
    }),
  );
  await retryUntil(options.address, deadline, () => ensureNamespace(connection, options.namespace));
  const { namespace } = options;
  const interceptors = { workflow: [questions(connection, namespace)] };
  return { connection, client: new Client({ connection, namespace, interceptors }) };
}

const untilSignal = new AsyncLocalStorage<AbortSignal>();

/** The calls that `work` makes are tried again each 250 ms at the latest until the signal, and not once more after it. */
export const callUntil = <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
  untilSignal.run(signal, work);

/** As the SDK tries again, but never later than in `RETRY_MOST_MS`, and not at all when it is over. */
function retries(over: AbortSignal | undefined): ReturnType<typeof makeGrpcRetryInterceptor> {
  const known = defaultGrpcRetryOptions();
  const usual = makeGrpcRetryInterceptor({
    retryableDecider: (attempt, status) => over?.aborted !== true && known.retryableDecider(attempt, status),
    delayFunction: (attempt, status) => Math.min(RETRY_MOST_MS, known.delayFunction(attempt, status)),
  });
  const watched = (signal: AbortSignal) =>
    makeGrpcRetryInterceptor({
      retryableDecider: (_, status) =>
        over?.aborted !== true && !signal.aborted && known.retryableDecider(1, status),
      delayFunction: (attempt, status) => Math.min(RETRY_SOON_MS, known.delayFunction(attempt, status)),
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
  // A server reads its namespaces from a cache: only an answer about workflows shows that it is there for all.
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

/** Another process was faster: that is success. */
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
    throw new DavitError('temporal/unreachable', `No Temporal server answers at ${address}.`, { cause });
  }
}

/**
 * Role: the server's connection to Temporal. Connects in the background, so that the server responds at once,
 * with `temporal/unreachable` until Temporal is reachable; later the connection recovers by itself.
 * Not its role: the meaning of results (`views.ts`), limits of parallel calls (`webhooks/fair-queue.ts`).
 */
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowNotFoundError,
  type Client,
  type Connection,
} from '@temporalio/client';
import { DavitError } from '../../errors.ts';
import { pipelineWorkflowId, projectWorkflowId, type PipelineId } from '../../plan/model/ids.ts';
import {
  QUERIES,
  SIGNALS,
  type Asker,
  type KeyLookup,
  type ProjectStatus,
} from '../../plan/model/protocol.ts';
import {
  decide,
  pipelineStatus,
  signalDeletion,
  signalRerun,
  signalStopEnvironment,
  signalStopRef,
  signalTrigger,
} from '../../temporal/calls.ts';
import { connectTemporal, callUntil, type TemporalAddress } from '../../temporal/client.ts';
import { Silent, withLiveness } from './liveness.ts';
import { isOpen, list, oldestOpen } from './list.ts';
import type { PendingJob, Workflows } from '../workflow-port.ts';

const CALL_MS = 5_000;
/** Play and approve wait for a workflow task, which may be late on a busy control worker. */
const UPDATE_MS = 10_000;
const HEALTH_MS = 2_000;
const LIST_MS = 60_000;
/** Shorter than the grace period of supervisors. */
const CLOSE_MS = 5_000;
/** Caused by `withLiveness`. */
const GRPC_CANCELLED = 1;
const GRPC_UNAVAILABLE = 14;
const PENDING_STARTED = 2;
/** Its worker, if it has one, is asked to end it. */
const PENDING_CANCELLED = 3;

type TemporalAt = Pick<TemporalAddress, 'address' | 'namespace' | 'security'>;

interface CallOptions {
  deadlineMs: number;
  /** Who has to respond: only Temporal, or a worker that runs the workflow. */
  responder: 'temporal' | 'workflow';
  /** A person waits for the result: an unreachable Temporal is reported within 3 s. */
  person?: true;
}
const TEMPORAL: CallOptions = { deadlineMs: CALL_MS, responder: 'temporal' };
const WORKFLOW_QUERY: CallOptions = { deadlineMs: CALL_MS, responder: 'workflow' };
const WORKFLOW_UPDATE: CallOptions = { deadlineMs: UPDATE_MS, responder: 'workflow', person: true };
const PERSON: CallOptions = { ...TEMPORAL, person: true };
/** A repeated decision takes effect once, so a retry is always safe. */
export const RETRY_HINT =
  'Retry when Temporal is reachable; the decision is applied once. `davit status` shows decisions, `davit doctor` checks Temporal.';

export interface TemporalLink {
  workflows: Workflows;
  close(): Promise<void>;
}

export function linkTemporal(options: TemporalAt): TemporalLink {
  const link = new Link(options);
  return {
    workflows: {
      trigger: (trigger, deadlineMs) =>
        link.call((client) => signalTrigger(client, trigger), { deadlineMs, responder: 'temporal' }),
      refDeleted: (slug, deleted, deadlineMs) =>
        link.call((client) => signalDeletion(client, slug, deleted), { deadlineMs, responder: 'temporal' }),
      stopRef: (slug, stop, deadlineMs) =>
        link.call((client) => signalStopRef(client, slug, stop), { deadlineMs, responder: 'temporal' }),
      rerun: (slug, request) => link.call((client) => signalRerun(client, slug, request), PERSON),
      stopEnvironment: (slug, stop) =>
        link.call((client) => signalStopEnvironment(client, slug, stop), PERSON),
      list: (filter) => link.call((client) => list(client, filter)),
      describe: (id) => link.known(undefined, (client) => describe(client, id)),
      cancel: (id, by) =>
        link.known(
          'closed' as const,
          async (client) => {
            // Temporal reports success for the cancellation of a closed workflow.
            if (!(await describe(client, id)).open) return 'closed' as const;
            const handle = client.workflow.getHandle(pipelineWorkflowId(id));
            await handle.signal<[Asker]>(SIGNALS.cancel, by);
            // For control workers that do not know the signal.
            await handle.cancel();
            return 'accepted' as const;
          },
          PERSON,
        ),
      decide: (id, decision) =>
        link.known('closed' as const, (client) => decide(client, id, decision), WORKFLOW_UPDATE),
      status: (id) => link.known(undefined, (client) => pipelineStatus(client, id), WORKFLOW_QUERY),
      project: (slug) =>
        link.known(
          undefined,
          (client) =>
            client.workflow.getHandle(projectWorkflowId(slug)).query<ProjectStatus>(QUERIES.project),
          WORKFLOW_QUERY,
        ),
      lookup: (slug, key) =>
        link.known(
          undefined,
          (client) =>
            client.workflow
              .getHandle(projectWorkflowId(slug))
              .query<KeyLookup, [string]>(QUERIES.lookup, key),
          WORKFLOW_QUERY,
        ),
      oldestOpen: () => link.call(oldestOpen, { deadlineMs: LIST_MS, responder: 'workflow', person: true }),
      healthy: () => link.healthy(),
    },
    close: () => link.close(),
  };
}

class Link {
  readonly #options: TemporalAt;
  #open: { client: Client; connection: Connection } | undefined;
  readonly #over = new AbortController();
  readonly #calls = new Set<Promise<unknown>>();
  readonly #connecting: Promise<void>;

  constructor(options: TemporalAt) {
    this.#options = options;
    this.#connecting = this.#connect();
  }

  /** Rejects with a coded error, except for the client's WorkflowNotFoundError. */
  async call<T>(work: (client: Client) => Promise<T>, options: CallOptions = TEMPORAL): Promise<T> {
    const deadline = Date.now() + options.deadlineMs;
    const client = await this.#client(options);
    const run = () => this.#counted(client.withDeadline(deadline, () => work(client)));
    try {
      if (!options.person) return await run();
      const responds = (withinMs: number) => this.healthy(withinMs);
      return await withLiveness({ responds }, (signal) =>
        callUntil(signal, () => client.withAbortSignal(signal, run)),
      );
    } catch (error) {
      throw error instanceof WorkflowNotFoundError ? error : await this.#coded(error, options);
    }
  }

  /** Returns `absent` if Temporal does not know the workflow, or only a closed one that cannot do it. */
  async known<T, U>(absent: U, work: (client: Client) => Promise<T>, options = TEMPORAL): Promise<T | U> {
    try {
      return await this.call(work, options);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return absent;
      throw error;
    }
  }

  /**
   * Reads the namespace, which is in Temporal's database: without its database a server responds but cannot
   * work.
   */
  async healthy(withinMs = HEALTH_MS): Promise<boolean> {
    const open = this.#open;
    if (!open) return false;
    const { namespace } = this.#options;
    try {
      const asked = open.connection.withDeadline(Date.now() + withinMs, () =>
        open.connection.workflowService.describeNamespace({ namespace }),
      );
      await this.#counted(asked);
      return true;
    } catch {
      return false; // Temporal does not respond
    }
  }

  async close(): Promise<void> {
    this.#over.abort();
    // Calls in progress keep their connection; none is retried from here on.
    await Promise.race([Promise.allSettled(this.#calls), timeout(CLOSE_MS)]);
    if (this.#open) await this.#open.connection.close();
    else void this.#connecting.then(() => this.#open?.connection.close());
  }

  async #counted<T>(call: Promise<T>): Promise<T> {
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  /**
   * The gRPC message stays in the cause, for the log. Both an unreachable Temporal and a missing worker end
   * in the deadline, because the client keeps retrying; a health check tells them apart.
   */
  async #coded(error: unknown, { responder, person }: CallOptions): Promise<DavitError> {
    if (error instanceof DavitError) return error;
    const grpc = error instanceof ServiceError ? error.cause : error;
    const code = isGrpcServiceError(grpc) ? grpc.code : undefined;
    const away = error instanceof Silent || code === GRPC_UNAVAILABLE || code === GRPC_CANCELLED;
    if (responder === 'workflow' && !away && (await this.healthy()))
      return new DavitError('pipeline/no-answer', 'The workflow did not respond in time.', { cause: error });
    const text = `The Temporal server at ${this.#options.address} did not respond.`;
    return new DavitError('temporal/unreachable', text, {
      cause: error,
      ...(person && { hint: RETRY_HINT }),
    });
  }

  async #client({ deadlineMs, person }: CallOptions): Promise<Client> {
    const waitMs = Math.min(deadlineMs, person ? HEALTH_MS : CALL_MS);
    if (!this.#open) await Promise.race([this.#connecting, timeout(waitMs)]);
    if (this.#open) return this.#open.client;
    const text = `No Temporal server responds at ${this.#options.address}.`;
    throw new DavitError('temporal/unreachable', text, person && { hint: RETRY_HINT });
  }

  /** Never rejects: retries until the link is closed. */
  async #connect(): Promise<void> {
    while (!this.#over.signal.aborted && !this.#open) {
      try {
        this.#open = await connectTemporal({
          ...this.#options,
          deadlineMs: CALL_MS,
          over: this.#over.signal,
        });
      } catch {
        // connectTemporal has already waited; calls meanwhile fail with `temporal/unreachable`.
      }
    }
    if (this.#over.signal.aborted) await this.#open?.connection.close();
  }
}

const timeout = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });

async function describe(
  client: Client,
  id: PipelineId,
): Promise<{ open: boolean; runId: string; pending: PendingJob[] }> {
  const { status, raw, runId } = await client.workflow.getHandle(pipelineWorkflowId(id)).describe();
  const pending = (raw.pendingActivities ?? []).map((one) => ({
    activityId: one.activityId ?? '',
    started: one.state === PENDING_STARTED,
    taken: one.state === PENDING_STARTED || one.state === PENDING_CANCELLED,
    type: one.activityType?.name ?? '',
    identity: one.lastWorkerIdentity ?? '',
  }));
  return { open: isOpen(status.name), runId, pending };
}

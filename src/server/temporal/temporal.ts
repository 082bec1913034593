/**
 * Role: the server's way to Temporal. Connects in the background, so that the server answers at once and says `temporal/unreachable`
 * until Temporal is there; afterwards the connection heals by itself.
 * Not its role: what the answers mean (`views.ts`), how many calls at once (`webhooks/fair-queue.ts`).
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
  signalRerun,
  signalStopEnvironment,
  signalTrigger,
} from '../../temporal/calls.ts';
import { connectTemporal, callUntil } from '../../temporal/client.ts';
import { Silent, withLiveness } from './liveness.ts';
import { isOpen, list, oldestOpen } from './list.ts';
import type { PendingJob, Workflows } from '../workflow-port.ts';

const CALL_MS = 5_000;
/** Play and approve wait for a workflow task, which a busy control worker may be late with. */
const UPDATE_MS = 10_000;
const HEALTH_MS = 2_000;
const LIST_MS = 60_000;
/** Shorter than what supervisors wait before they kill. */
const CLOSE_MS = 5_000;
/** By `withLiveness`. */
const GRPC_CANCELLED = 1;
const GRPC_UNAVAILABLE = 14;
const PENDING_STARTED = 2;

/** Who has to answer: Temporal alone, or a worker that runs the workflow. */
interface CallOptions {
  deadlineMs: number;
  of: 'temporal' | 'workflow';
  /** Somebody waits who has decided something: a Temporal that is away is told within 3 s. */
  person?: true;
}
const TEMPORAL: CallOptions = { deadlineMs: CALL_MS, of: 'temporal' };
const WORKFLOW_QUERY: CallOptions = { deadlineMs: CALL_MS, of: 'workflow' };
const WORKFLOW_UPDATE: CallOptions = { deadlineMs: UPDATE_MS, of: 'workflow', person: true };
const PERSON: CallOptions = { ...TEMPORAL, person: true };
/** A decision counts once however often it is said, so saying it again is always right. */
const SAY_AGAIN =
  'Say it again once Temporal is back: it counts once. `davit status` shows what was decided, `davit doctor` what is wrong with Temporal.';

export interface TemporalLink {
  workflows: Workflows;
  close(): Promise<void>;
}

export function linkTemporal(options: { address: string; namespace: string }): TemporalLink {
  const link = new Link(options);
  return {
    workflows: {
      trigger: (trigger, deadlineMs) =>
        link.call((client) => signalTrigger(client, trigger), { deadlineMs, of: 'temporal' }),
      rerun: (slug, request) => link.call((client) => signalRerun(client, slug, request), PERSON),
      stopEnvironment: (slug, stop) =>
        link.call((client) => signalStopEnvironment(client, slug, stop), PERSON),
      list: (filter) => link.call((client) => list(client, filter)),
      describe: (id) => link.known(undefined, (client) => describe(client, id)),
      cancel: (id, by) =>
        link.known(
          'closed' as const,
          async (client) => {
            // Temporal takes a cancel of a closed workflow for success.
            if (!(await describe(client, id)).open) return 'closed' as const;
            const handle = client.workflow.getHandle(pipelineWorkflowId(id));
            await handle.signal<[Asker]>(SIGNALS.cancel, by);
            // For a worker that is older than the signal.
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
      oldestOpen: () => link.call(oldestOpen, { deadlineMs: LIST_MS, of: 'workflow', person: true }),
      healthy: () => link.healthy(),
    },
    close: () => link.close(),
  };
}

class Link {
  readonly #options: { address: string; namespace: string };
  #open: { client: Client; connection: Connection } | undefined;
  readonly #over = new AbortController();
  readonly #calls = new Set<Promise<unknown>>();
  readonly #connecting: Promise<void>;

  constructor(options: { address: string; namespace: string }) {
    this.#options = options;
    this.#connecting = this.#connect();
  }

  /** Rejects with a coded error, except for the client's WorkflowNotFoundError. */
  async call<T>(ask: (client: Client) => Promise<T>, asking: CallOptions = TEMPORAL): Promise<T> {
    const deadline = Date.now() + asking.deadlineMs;
    const client = await this.#client(asking);
    const made = () => this.#counted(client.withDeadline(deadline, () => ask(client)));
    try {
      if (!asking.person) return await made();
      const answers = (withinMs: number) => this.healthy(withinMs);
      return await withLiveness({ answers }, (signal) =>
        callUntil(signal, () => client.withAbortSignal(signal, made)),
      );
    } catch (error) {
      throw error instanceof WorkflowNotFoundError ? error : await this.#coded(error, asking);
    }
  }

  /** `absent` is the answer where Temporal knows no such workflow, or only a closed one that cannot do it. */
  async known<T, U>(absent: U, ask: (client: Client) => Promise<T>, asking = TEMPORAL): Promise<T | U> {
    try {
      return await this.call(ask, asking);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return absent;
      throw error;
    }
  }

  /** Asked for the namespace, because that is read from Temporal's database: without it a server answers, and can do nothing. */
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
      return false; // that is the answer: it does not answer
    }
  }

  async close(): Promise<void> {
    this.#over.abort();
    // A call on its way must not find its connection closed; none is tried again from here on.
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
   * gRPC's words stay in the cause, for the log. A question that Temporal took and no worker answered is told apart: both end by
   * their deadline, because the client tries a Temporal that is away again and again.
   */
  async #coded(error: unknown, { of, person }: CallOptions): Promise<DavitError> {
    if (error instanceof DavitError) return error;
    const grpc = error instanceof ServiceError ? error.cause : error;
    const code = isGrpcServiceError(grpc) ? grpc.code : undefined;
    const told = error instanceof Silent || code === GRPC_UNAVAILABLE || code === GRPC_CANCELLED;
    if (of === 'workflow' && !told && (await this.healthy()))
      return new DavitError('pipeline/no-answer', 'The workflow did not answer in time.', { cause: error });
    const text = `The Temporal server at ${this.#options.address} did not answer.`;
    return new DavitError('temporal/unreachable', text, { cause: error, ...(person && { hint: SAY_AGAIN }) });
  }

  async #client({ deadlineMs, person }: CallOptions): Promise<Client> {
    const patience = Math.min(deadlineMs, person ? HEALTH_MS : CALL_MS);
    if (!this.#open) await Promise.race([this.#connecting, timeout(patience)]);
    if (this.#open) return this.#open.client;
    const text = `No Temporal server answers at ${this.#options.address}.`;
    throw new DavitError('temporal/unreachable', text, person && { hint: SAY_AGAIN });
  }

  /** Never rejects: a server that is away is asked again until the link is closed. */
  async #connect(): Promise<void> {
    while (!this.#over.signal.aborted && !this.#open) {
      try {
        this.#open = await connectTemporal({
          ...this.#options,
          deadlineMs: CALL_MS,
          over: this.#over.signal,
        });
      } catch {
        // connectTemporal has waited already; whoever needs the client meanwhile is told so.
      }
    }
    if (this.#over.signal.aborted) await this.#open?.connection.close();
  }
}

const timeout = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });

async function describe(client: Client, id: PipelineId): Promise<{ open: boolean; pending: PendingJob[] }> {
  const { status, raw } = await client.workflow.getHandle(pipelineWorkflowId(id)).describe();
  const pending = (raw.pendingActivities ?? []).map((one) => ({
    activityId: one.activityId ?? '',
    started: one.state === PENDING_STARTED,
  }));
  return { open: isOpen(status.name), pending };
}

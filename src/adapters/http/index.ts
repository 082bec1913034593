/**
 * The server's stores, for its workers. A call may be sent twice if a connection breaks; all are idempotent.
 */
import { createHash } from 'node:crypto';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { readBounded } from '../bounded.ts';
import type { InstallationFacts } from '../../installation-facts.ts';
import { isDigest, type Digest } from '../../plan/model/ids.ts';
import type { Message } from '../../plan/model/message.ts';
import type { DecisionProof } from '../../plan/model/proof.ts';
import type { WorkerReport } from '../../plan/model/queues.ts';
import type {
  AttemptOf,
  AttemptPorts,
  BlobStore,
  Changes,
  Credentials,
  Fleet,
  LogRef,
  LogState,
  LogStore,
  Prover,
  RecordStore,
  Rights,
  Secrets,
} from '../ports.ts';
import { isSealedByWorker } from '../secrets/index.ts';
import { AttemptToken } from './attempt-token.ts';
import { readFacts } from './facts.ts';
import { StoreClient, type ClientOptions } from './client.ts';
import { asTokenSource } from './token-source.ts';
import {
  approvalAnswer,
  BYTES_TYPE,
  credentialAnswer,
  encodeFrame,
  FRAME_TYPE,
  LOG_STATE_HEADER,
  logState,
  proofAnswer,
  protectionAnswer,
  recordAnswer,
} from './wire.ts';
import { fleetAnswer } from './fleet-wire.ts';
import { sha256 } from '../../utils/sha256.ts';

export type { ClientOptions } from './client.ts';
export interface HttpStores {
  blobs: BlobStore;
  records: RecordStore;
  logs: LogStore;
  fleet: Fleet;
  rights: Rights;
  credentials: Credentials;
  changes: Changes;
  /** The installation's facts that the server gives to workers. */
  facts(): Promise<InstallationFacts>;
  /**
   * The ports of one attempt, with a token of its own. `local`: resolves secrets, and seals for a server that does not.
   */
  attempt(of: AttemptOf, local: Secrets): AttemptPorts;
  prover: Prover;
  /** Epoch ms by the server's clock. */
  now(): number;
  close(): Promise<void>;
}

/**
 * Rejections carry the server's own code; without a response it is `store/unreachable`, after `patienceMs`.
 */
export function httpStores(options: ClientOptions): HttpStores {
  const own = asTokenSource(options.workerToken);
  const client = new StoreClient({ ...options, workerToken: own });
  return {
    attempt: (of, local) => attemptPorts({ client, token: new AttemptToken(client, own, of) }, local),
    blobs: httpBlobs(client),
    records: httpRecords(client),
    logs: httpLogs(client),
    fleet: httpFleet(client),
    rights: httpRights(client),
    credentials: httpCredentials(client),
    changes: { tell: async (changes) => void (await post(client, '/changes', { changes })) },
    prover: { prove: (message) => prove(client, message) },
    facts: async () => readFacts(await client.json({ method: 'GET', path: '/facts' })),
    now: () => client.now(),
    close: () => client.close(),
  };
}

const prove = (client: StoreClient, message: Message): Promise<DecisionProof | undefined> =>
  unlessOlder(async () => proofAnswer.parse(await client.post('/proofs', { message })).proof);

/** Undefined from a server of an earlier version, which has no such route. */
async function unlessOlder<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof DavitError && error.code === 'not-found') return undefined;
    throw error;
  }
}

function attemptPorts(
  { client: worker, token }: { client: StoreClient; token: AttemptToken },
  local: Secrets,
): AttemptPorts {
  const client = worker.withToken(token);
  const bytes = (path: string, body: Uint8Array): Promise<Uint8Array> =>
    client.call({ method: 'POST', path, type: BYTES_TYPE, body: Buffer.from(body) }, async (answer) =>
      Buffer.from(await answer.body.arrayBuffer()),
    );
  return {
    blobs: httpBlobs(client),
    records: httpRecords(client),
    logs: httpLogs(client),
    rights: httpRights(client),
    credentials: httpCredentials(client),
    secrets: {
      resolve: local.resolve,
      seal: async (plain) => ((await token.isMinted()) ? bytes('/seal', plain) : local.seal(plain)),
      unseal: async (sealed) => {
        if (!isSealedByWorker(sealed)) return bytes('/unseal', sealed);
        try {
          return await local.unseal(sealed);
        } catch (error) {
          // Sealed before this machine had a token of its own: the server may know the former one.
          if (!(await token.isMinted())) throw error;
          return bytes('/unseal', sealed);
        }
      },
    },
  };
}

const stored = z.object({ digest: z.string().refine(isDigest), bytes: z.number() });
const digestOf = (bytes: Uint8Array): Digest => `sha256:${sha256(bytes)}`;
const post = (client: StoreClient, path: string, body: unknown): Promise<unknown> => client.post(path, body);

function httpBlobs(client: StoreClient): BlobStore {
  const blobOf = (digest: Digest) => ({ method: 'GET', path: `/blobs/${digest}` }) as const;
  return {
    async putBytes(bytes) {
      const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const answer = await client.json({ method: 'PUT', path: '/blobs', type: BYTES_TYPE, body });
      return same(digestOf(bytes), stored.parse(answer).digest);
    },
    putStream: (stream) => putStream(client, stream),
    async getBytes(digest, maxBytes = Number.POSITIVE_INFINITY) {
      const tooLarge = (): Error =>
        new DavitError('blob/too-large', `The blob ${digest} has more than ${maxBytes} bytes.`);
      const all = await client.call(blobOf(digest), ({ body }) => readBounded(body, maxBytes, tooLarge));
      same(digest, digestOf(all));
      return all;
    },
    getStream: (digest) => client.stream(blobOf(digest)),
    async has(digest) {
      const call = { method: 'HEAD', path: `/blobs/${digest}`, accept: 404 } as const;
      return client.call(call, async ({ body, statusCode }) => {
        await body.dump();
        return statusCode !== 404;
      });
    },
  };
}

async function putStream(client: StoreClient, stream: Readable): Promise<{ digest: Digest; bytes: number }> {
  const hash = createHash('sha256');
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  let ofSource: unknown;
  stream.once('error', (error) => {
    if (!counted.destroyed) ofSource = error;
  });
  const piped = pipeline(stream, counted).catch(() => {
    // Either the source failed, and its error is kept above, or the sending failed with its own error.
  });
  try {
    const body = { method: 'PUT', path: '/blobs', type: BYTES_TYPE, body: counted } as const;
    const { digest, bytes } = stored.parse(await client.json(body));
    return { digest: same(`sha256:${hash.digest('hex')}`, digest), bytes };
  } catch (error) {
    throw ofSource ?? error;
  } finally {
    // If one side fails, the other must not wait for it.
    counted.destroy();
    stream.destroy();
    await piped;
  }
}

function same(wanted: Digest, got: Digest): Digest {
  if (wanted !== got)
    throw new DavitError('blob/digest', `The bytes of ${wanted} arrived with the digest ${got}.`);
  return got;
}

/** A document has the type that was put: the caller asserts it by the type parameter, as in the port. */
function httpRecords(client: StoreClient): RecordStore {
  return {
    putIfAbsent: async <T>(name: string, value: T) => {
      const answer = await post(client, '/records/put-if-absent', { name, value });
      return answer as { created: boolean; value: T };
    },
    put: async (name, value) => void (await post(client, '/records/put', { name, value })),
    get: async <T>(name: string) =>
      recordAnswer.parse(await post(client, '/records/get', { name })).value as T | undefined,
    list: async (prefix, limit) =>
      z.array(z.string()).parse(await post(client, '/records/list', { prefix, limit })),
    allocate: async (counter, claim, count) =>
      z
        .object({ first: z.number() })
        .parse(await post(client, '/records/allocate', { counter, claim, count })).first,
  };
}

function httpLogs(client: StoreClient): LogStore {
  const change = async (path: string, body: unknown): Promise<LogState> =>
    logState.parse(await post(client, path, body));
  return {
    open: (ref, epoch) => change('/logs/open', { ref: pick(ref), epoch }),
    async append(ref, { bytes, ...head }) {
      const body = encodeFrame({ ref: pick(ref), ...head }, bytes);
      return logState.parse(
        await client.json({ method: 'POST', path: '/logs/append', type: FRAME_TYPE, body }),
      );
    },
    end: (ref, end) => change('/logs/end', { ref: pick(ref), ...end }),
    async state(ref) {
      return logState
        .optional()
        .parse(recordAnswer.parse(await post(client, '/logs/state', { ref: pick(ref) })).value);
    },
    async read(ref, offset, limit) {
      const body = Buffer.from(JSON.stringify({ ref: pick(ref), offset, limit }));
      const call = { method: 'POST', path: '/logs/read', type: 'application/json', body } as const;
      return client.call(call, async (answer) => {
        const bytes = new Uint8Array(await answer.body.arrayBuffer());
        const header = answer.headers[LOG_STATE_HEADER];
        return { bytes, state: logState.parse(JSON.parse(typeof header === 'string' ? header : 'null')) };
      });
    },
  };
}
/** Callers may pass whole attempts. */
const pick = ({ pipeline: id, job, attempt }: LogRef): LogRef => ({ pipeline: id, job, attempt });

function httpFleet(client: StoreClient): Fleet {
  return {
    report: async (worker) => fleetAnswer.parse(await post(client, '/workers', worker)),
    leave: async (id) => void (await unlessOlder(() => post(client, '/workers/leave', { id }))),
    live: async () => (await client.json({ method: 'GET', path: '/workers' })) as WorkerReport[],
  };
}

function httpRights(client: StoreClient): Rights {
  return {
    protection: async (project) =>
      protectionAnswer.parse(await client.json({ method: 'GET', path: `/protection/${project}` })).value,
    approvals: async (question) => approvalAnswer.parse(await post(client, '/approvals', question)),
  };
}

function httpCredentials(client: StoreClient): Credentials {
  const ask = async (path: string, body: unknown): Promise<string> =>
    credentialAnswer.parse(await post(client, `/credentials/${path}`, body)).token;
  return {
    forJob({ job, attempt, writes, forMs }) {
      const { project, protectedRef, fork, local } = job;
      const asker = { project, protectedRef, fork, local };
      return unlessOlder(() => ask('job', { job: asker, attempt: pick(attempt), writes, forMs }));
    },
    forTarget: ({ project, target, repository }) => ask('target', { project, target, repository }),
    forPull: (repository) => ask('pull', { repository }),
  };
}

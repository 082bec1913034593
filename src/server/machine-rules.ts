/**
 * What a machine with a token of its own (`workers` of the installation file) gets from the server. Its worker's own
 * configuration is not asked: a process that ignores it is refused here.
 *
 * Invariants:
 *  MACHINE-1 The spec of a job, and with it the names of its secrets, goes to machines that may run the job.
 *  MACHINE-2 Logs are those of such jobs. Records are those that running them needs; any other name is refused.
 *  MACHINE-3 What cannot be decided is refused: an unknown pipeline, JSON that is not a spec.
 * Not covered: bytes that are not JSON (sources, artifacts, caches). A machine that knows their digest can read them.
 */
import { Readable } from 'node:stream';
import { z } from 'zod';
import { DavitError } from '../errors.ts';
import { outOfScope, type JobOrigin, type WorkerScope } from '../match/worker-scope.ts';
import type { Digest, PipelineId } from '../plan/model/ids.ts';
import type { ServerDeps } from './deps.ts';
import type { Views } from './views.ts';

export interface Machine extends WorkerScope {
  name: string;
}
export interface MachineRules {
  /** The blob's bytes. Rejects with `worker/scope`. */
  blob(machine: Machine | undefined, digest: Digest): Promise<Readable>;
  record(machine: Machine | undefined, name: string, access: 'read' | 'write' | 'other'): void;
  log(machine: Machine | undefined, pipeline: PipelineId): Promise<void>;
}

/** As `readSpec` of workers. */
const MAX_SPEC_BYTES = 16 * 1_024 * 1_024;
const MAX_KNOWN = 10_000;
const OPEN_BRACE = 0x7b;
const specOrigin = z.object({
  kind: z.string(),
  project: z.string(),
  protectedRef: z.boolean(),
  fork: z.boolean(),
});

export function machineRules(
  { blobs }: Pick<ServerDeps, 'blobs'>,
  views: Pick<Views, 'status'>,
): MachineRules {
  /** Neither changes while a pipeline lives. */
  const known = new Map<PipelineId, JobOrigin>();
  const originOf = async (id: PipelineId): Promise<JobOrigin> => {
    const found = known.get(id);
    if (found) return found;
    const { project, protected: protectedRef, fork } = await views.status(id);
    const origin = { project, protectedRef: protectedRef === true, fork: fork === true };
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(id, origin);
    return origin;
  };
  return {
    async blob(machine, digest) {
      const stream = await blobs.getStream(digest);
      if (!machine) return stream;
      const iterator: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
      const first = await iterator.next();
      if (first.done) return Readable.from([]);
      if (first.value[0] !== OPEN_BRACE) return whole([first.value], iterator);
      stream.destroy();
      const bytes = await blobs.getBytes(digest, MAX_SPEC_BYTES);
      const origin = readOrigin(bytes);
      // A tar whose first name begins with a brace is no JSON.
      if (origin === undefined) return Readable.from([bytes]);
      refuse(machine, origin === 'other' ? 'It reads specs of jobs only.' : outOfScope(origin, machine));
      return Readable.from([bytes]);
    },
    record(machine, name, access) {
      if (!machine) return;
      const [kind = '', owner = ''] = name.split('/');
      const own = machine.projects?.includes(owner) ?? true;
      const allowed =
        (kind === 'caches' && own && access !== 'other') ||
        (kind === 'given' && own && access === 'write') ||
        (kind === 'given-by' && access === 'write') ||
        // Named by attempts, and sealed with the token of the machine.
        ((kind === 'masks' || kind === 'ends') && access !== 'other');
      refuse(machine, allowed ? undefined : `It has no access to the record ${name}.`);
    },
    async log(machine, pipeline) {
      if (!machine) return;
      const slug = pipeline.slice(0, pipeline.lastIndexOf('/'));
      if (machine.projects && !machine.projects.includes(slug))
        refuse(machine, `This worker takes no jobs of ${slug}.`);
      if (machine.forks && !machine.protected_only) return;
      refuse(machine, outOfScope(await originOf(pipeline), machine));
    },
  };
}

/** Undefined: not JSON. `other`: JSON that is no spec. */
function readOrigin(bytes: Uint8Array): JobOrigin | 'other' | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined; // bytes of another kind
  }
  const parsed = specOrigin.safeParse(value);
  return parsed.success ? parsed.data : 'other';
}

function whole(read: readonly Buffer[], rest: AsyncIterator<Buffer>): Readable {
  async function* all(): AsyncGenerator<Buffer> {
    yield* read;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  }
  return Readable.from(all(), { objectMode: false });
}

function refuse({ name }: Machine, why: string | undefined): void {
  if (why !== undefined) throw new DavitError('worker/scope', `The worker ${name} is refused: ${why}`);
}

/**
 * Connections of a worker to the server and to Temporal. A worker process opens its own; the workers of one
 * process share one, because each costs memory and the native runtime exists once per process.
 */
import type { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { temporalAddress, type Settings } from '../../src/config.ts';
import { connectTemporal } from '../../src/temporal/client.ts';
import { temporalSecurity, type TemporalSecurity } from '../../src/temporal/security.ts';
import { wireWorker, type WorkerPorts } from '../../src/wiring.ts';
import { installRuntime } from './process.ts';

export interface TemporalLinks {
  client: Client;
  /** The workers' own connection. Can be closed once no worker uses it. */
  connection: NativeConnection;
  /** For every worker. */
  converter: TemporalSecurity['converter'];
}
export interface WorkerLinks {
  ports: WorkerPorts;
  temporal: TemporalLinks;
}
interface Closable {
  close(): Promise<void>;
}

/** Rejects with `temporal/unreachable`. */
export async function openTemporal(settings: Settings): Promise<TemporalLinks & Closable> {
  installRuntime(settings);
  const address = temporalAddress(settings);
  const security = await temporalSecurity(settings);
  const known = await connectTemporal({ address, namespace: settings.temporalNamespace, security });
  try {
    const connection = await NativeConnection.connect({ address, ...security.connection });
    const close = async (): Promise<void> => {
      await connection.close();
      await known.connection.close();
    };
    return { client: known.client, connection, converter: security.converter, close };
  } catch (error) {
    await known.connection.close();
    throw error;
  }
}

/** Rejects with `worker/no-token`, `worker/no-server`, `temporal/unreachable`. */
export async function openLinks(settings: Settings): Promise<WorkerLinks & Closable> {
  const opening = openTemporal(settings);
  try {
    const [ports, temporal] = await Promise.all([wireWorker(settings), opening]);
    return { ports, temporal, close: () => temporal.close() };
  } catch (error) {
    // Without its ports the connection would stay open. The error of the ports is reported; a failure to
    // close comes after it.
    opening.then((temporal) => temporal.close()).catch(() => undefined);
    throw error;
  }
}

/** Uses the given links, or opens some for the duration of the work. */
export async function withLinks(
  settings: Settings,
  given: WorkerLinks | undefined,
  work: (links: WorkerLinks) => Promise<void>,
): Promise<void> {
  if (given) return work(given);
  const own = await openLinks(settings);
  try {
    await work(own);
  } finally {
    await own.close();
  }
}

/** Opened by the first worker that asks, again after a failure, and closed once for all of them. */
export class SharedLinks {
  readonly #settings: Settings;
  #opening: Promise<WorkerLinks & Closable> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  get(): Promise<WorkerLinks> {
    this.#opening ??= openLinks(this.#settings).catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** Call it after every worker has ended. */
  async close(): Promise<void> {
    const opening = this.#opening;
    if (!opening) return;
    try {
      await (await opening).close();
    } catch {
      // Never opened, or still held by a worker that could not be ended: the process ends next, which closes
      // it.
    }
  }
}

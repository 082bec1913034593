/** A real Temporal dev server for one test file: free port, nothing on disk, removed by `close`. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';

import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { readSettings } from '../../src/config.ts';
import { connectTemporal } from '../../src/temporal/client.ts';
import { freePort } from './port.ts';

export interface TestTemporal {
  address: string;
  namespace: string;
  client: Client;
  pid: number;
  /** Address of its UI, if that was asked for. */
  ui?: string;
  close(): Promise<void>;
}

export async function startTemporal(
  options: { dbFile?: string; port?: number; ui?: boolean } = {},
): Promise<TestTemporal> {
  const binary = join(readSettings().cache, 'temporal-1.5.1', 'temporal');
  if (!existsSync(binary)) throw new Error(`${binary} is missing: \`npm test\` puts it there`);
  const port = options.port ?? (await freePort());
  const uiPort = options.ui ? await freePort() : undefined;
  const child = spawn(binary, serverArguments(port, uiPort, options.dbFile), {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  // An interrupted test run must leave no server behind.
  const last = (): boolean => child.kill('SIGKILL');
  process.once('exit', last);
  const address = `127.0.0.1:${port}`;
  const namespace = 'davit';
  const { client, connection } = await connectTemporal({ address, namespace, deadlineMs: 30_000 });
  return {
    address,
    namespace,
    client,
    pid: child.pid ?? 0,
    ...(uiPort !== undefined && { ui: `http://127.0.0.1:${uiPort}` }),
    close: async () => {
      process.off('exit', last);
      await connection.close();
      await ended(child);
    },
  };
}

/** Dispatch setting and durability of the embedded server. */
const serverArguments = (port: number, uiPort: number | undefined, dbFile: string | undefined): string[] => [
  'server',
  'start-dev',
  ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
  '--ip',
  '127.0.0.1',
  '--port',
  String(port),
  '--log-level',
  'error',
  '--dynamic-config-value',
  'history.transferProcessorMaxPollRPS=2000',
  ...(dbFile
    ? ['--db-filename', dbFile, '--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=FULL']
    : []),
];

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

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
  close(): Promise<void>;
}

export async function startTemporal(options: { dbFile?: string; port?: number } = {}): Promise<TestTemporal> {
  const binary = join(readSettings().cache, 'temporal-1.5.1', 'temporal');
  if (!existsSync(binary)) throw new Error(`${binary} is missing: \`npm test\` puts it there`);
  const port = options.port ?? (await freePort());
  const child = spawn(binary, serverArguments(port, options.dbFile), {
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
    close: async () => {
      process.off('exit', last);
      await connection.close();
      await ended(child);
    },
  };
}

/** Dispatch setting and durability of the embedded server. */
const serverArguments = (port: number, dbFile: string | undefined): string[] => [
  'server',
  'start-dev',
  '--headless',
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

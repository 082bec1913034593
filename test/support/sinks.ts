/** Places where a secret must never appear, read as text. */
import { execFileSync } from 'node:child_process';
import { globSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';

/** Text of a value, with the raw bytes of payloads. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, function (this: Record<string, unknown>, key, plain: unknown) {
    // A Buffer has already been serialized as a map of numbers; the holder still has the bytes.
    const raw = this[key];
    return raw instanceof Uint8Array ? Buffer.from(raw).toString('latin1') : plain;
  });

/** Every event of every workflow, by workflow id; search attributes, memo and payloads with it. */
export async function workflowHistories(client: Client): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const execution of client.workflow.list()) {
    const history = await client.workflow.getHandle(execution.workflowId, execution.runId).fetchHistory();
    found.set(
      `${execution.workflowId} ${execution.runId}`,
      textOf([execution.searchAttributes, execution.memo, history]),
    );
  }
  return found;
}

/** Command lines of all processes of the machine, and the environments of the requested ones. */
export function processes(environmentOf: readonly number[]): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        return environmentOf.includes(Number(pid))
          ? `${line}\n${readFileSync(`/proc/${pid}/environ`, 'latin1')}`
          : line;
      } catch {
        return ''; // the process has ended
      }
    })
    .join('\n');
}

const docker = (...args: string[]): string =>
  execFileSync('docker', args, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/**
 * `docker inspect` of everything with the label: containers, networks, volumes. Empty if there is nothing.
 */
export function inspected(label: string): string {
  const filter = ['--filter', `label=${label}`];
  const ids = [
    ...lines(docker('ps', '-aq', '--no-trunc', ...filter)),
    ...lines(docker('network', 'ls', '-q', '--no-trunc', ...filter)),
    ...lines(docker('volume', 'ls', '-q', ...filter)),
  ];
  if (ids.length === 0) return '';
  try {
    return docker('inspect', ...ids);
  } catch (error) {
    // One of them was removed between list and inspect: the output has the others.
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
  }
}

/** Files below a folder that contain the text. */
export function filesWith(folder: string, text: string): string[] {
  return globSync('**/*', { cwd: folder }).filter((name) => {
    const path = join(folder, name);
    try {
      return statSync(path).isFile() && readFileSync(path).includes(text);
    } catch {
      return false; // it was a temporary file and no longer exists
    }
  });
}

/**
 * A registry that a test's swarm reaches at 127.0.0.1, because it runs in the network namespace of the
 * swarm's engine.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Digest } from '../../src/plan/model/ids.ts';
import { HELPER_IMAGE, type SwarmEngine } from './engine.ts';

const HOST = '127.0.0.1:5000';
const PUSH_MS = 60_000;

export interface SwarmRegistry {
  /** `127.0.0.1:5000/table`, with the helper image in it. */
  repository: string;
  digest: Digest;
  stop(): Promise<void>;
}

export async function startSwarmRegistry(swarm: SwarmEngine): Promise<SwarmRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'davit-test-swarm-registry-'));
  const pid = (await readFile(join(dirname(swarm.address.replace('unix://', '')), 'pid'), 'utf8')).trim();
  const config = join(folder, 'config.yml');
  await writeFile(
    config,
    `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${folder}/data } }\nhttp: { addr: "${HOST}" }\n`,
  );
  const child = spawn('nsenter', ['-t', pid, '-n', 'docker-registry', 'serve', config], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const repository = `${HOST}/table`;
    await swarm.engine.tagImage(HELPER_IMAGE, `${repository}:1`);
    // The push is retried until the registry listens.
    const signal = AbortSignal.timeout(PUSH_MS);
    const { digest } = await swarm.engine.push(`${repository}:1`, { signal, onLog: () => undefined });
    return { repository, digest, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

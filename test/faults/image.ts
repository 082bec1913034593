/** The image of deployments, as the registry has it. */
import type { Digest } from '../../src/plan/model/ids.ts';
import { HELPER_IMAGE } from '../support/engine.ts';
import type { OwnEngine } from './engine.ts';

const PUSH_MS = 60_000;

export async function pushImage({ engine }: OwnEngine, registryHost: string): Promise<string> {
  const tag = `${registryHost}/table:1`;
  await engine.tagImage(HELPER_IMAGE, tag);
  const signal = AbortSignal.timeout(PUSH_MS);
  const pushed: { digest: Digest } = await engine.push(tag, { signal, onLog: () => undefined });
  return `${registryHost}/table@${pushed.digest}`;
}

import type { Engine } from '../ports.ts';
import type { EngineApi } from './api.ts';
export async function build(
  _api: EngineApi,
  _request: Parameters<Engine['build']>[0],
): ReturnType<Engine['build']> {
  throw new Error('building');
}

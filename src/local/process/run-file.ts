/** `HOME/run.json`: the davit that runs on this machine. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../../config.ts';
import { ARCHES } from '../../plan/model/ids.ts';
import type { TemporalUi } from '../../plan/policy/temporal-links.ts';
import type { RunFile } from '../../server/api.ts';
import { isAlive } from '../../utils/is-alive.ts';
import { readJson, writeJson } from './files.ts';
import { http, https } from './node-http.ts';

const HEALTH_MS = 3_000;

const schema: z.ZodType<RunFile> = z.object({
  pid: z.number().int().positive(),
  version: z.string(),
  startedAt: z.number(),
  server: z.string(),
  temporal: z.string(),
  temporalUi: z.string().optional(),
  namespace: z.string(),
  registry: z.string(),
  helperImage: z.string(),
  arches: z.array(z.enum(ARCHES)).optional(),
  processes: z.array(z.object({ name: z.string(), pid: z.number().int(), mark: z.string().optional() })),
});
type Home = Pick<Settings, 'home'>;
const pathOf = (settings: Home): string => join(settings.home, 'run.json');

/** The content of the file, even if that davit has ended; undefined if there is none. */
export async function readRunFile(settings: Home): Promise<RunFile | undefined> {
  const parsed = schema.safeParse(await readJson(pathOf(settings)));
  return parsed.success ? parsed.data : undefined;
}

/** Temporal's UI of this machine, if davit has started it. */
export const uiOfRun = (run: RunFile | undefined): TemporalUi | undefined =>
  run?.temporalUi === undefined ? undefined : { address: run.temporalUi, namespace: run.namespace };

export const writeRunFile = (settings: Home, run: RunFile): Promise<void> => writeJson(pathOf(settings), run);
export const removeRunFile = (settings: Home): Promise<void> => rm(pathOf(settings), { force: true });

/**
 * The running davit: its supervisor lives and its server responds. Process ids are reused, so an id alone
 * proves nothing.
 */
export async function liveRun(settings: Home): Promise<RunFile | undefined> {
  const run = await readRunFile(settings);
  if (!run || !isAlive(run.pid)) return undefined;
  return (await responds(`${run.server}/healthz`)) ? run : undefined;
}

/** True if there is an HTTP response below status 500. */
export function responds(url: string, timeoutMs = HEALTH_MS): Promise<boolean> {
  return new Promise((resolve) => {
    const api = url.startsWith('https:') ? https : http;
    const request = api.get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      response.destroy();
      resolve((response.statusCode ?? 500) < 500);
    });
    request.once('error', () => resolve(false)); // no response in time
  });
}

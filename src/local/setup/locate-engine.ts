/**
 * Finds the engine of this machine, as Docker's own command line does and further: DOCKER_HOST, else the current docker
 * context, else the first known socket that responds.
 *
 * LOCATE-1 DOCKER_HOST is an order: nothing else is tried. A context that does not respond is left for a socket that
 *          does, and that is said.
 * LOCATE-2 Commands for what runs already use the engine that it was started with (`installed.json`).
 */
import { stat } from 'node:fs/promises';
import { connect } from '../../adapters/docker/connection/transport.ts';
import type { Settings } from '../../config.ts';
import { messageOf } from '../../utils/message.ts';
import { contextPlace, knownSockets, type EnginePlace, type UnusablePlace } from './engine-places.ts';
import { readInstallRecord, recordInstalled } from './install-record.ts';

export interface LocatedEngine {
  /** Settings with its address. */
  settings: Settings;
  /** For people: why this one. */
  by: string;
  /** What comes first, but could not be used. */
  passed: UnusablePlace[];
}

/** Never rejects: without any that responds it is the default socket, whose user reports that. */
export async function locateEngine(settings: Settings, use: 'first' | 'running'): Promise<LocatedEngine> {
  const { engineSources: sources } = settings;
  if (!sources) return { settings, by: 'DOCKER_HOST', passed: [] };
  const passed: UnusablePlace[] = [];
  const last = use === 'running' ? readInstallRecord(settings).engine : undefined;
  const running = last && { ...last, by: 'davit was started with it' };
  if (running && (await problemOf(running)) === undefined) return found(settings, running, passed);
  const context = await contextPlace(sources);
  if (context && 'problem' in context) passed.push(context);
  const first = context && 'address' in context ? [context] : [];
  const place = await firstResponding([...first, ...(await knownSockets(sources))], passed);
  return place ? found(settings, place, passed) : { settings, by: 'the default socket', passed };
}

/** Adds to `passed` what is there and does not respond. */
export async function firstResponding(
  places: readonly EnginePlace[],
  passed: UnusablePlace[],
): Promise<EnginePlace | undefined> {
  for (const place of places) {
    const problem = await problemOf(place);
    if (problem === undefined) return place;
    // A socket that is not there is a program that is not there; a context names what should be.
    if (problem !== NOT_THERE || place.by.startsWith('the docker context'))
      passed.push({ by: `${place.by} (${place.address})`, problem });
  }
  return undefined;
}

/** LOCATE-2 */
export function rememberEngine(settings: Settings): void {
  const { dockerHost: address, dockerCertPath: certPath } = settings;
  recordInstalled(settings, { engine: { address, ...(certPath !== undefined && { certPath }) } });
}

const found = (settings: Settings, place: EnginePlace, passed: UnusablePlace[]): LocatedEngine => ({
  settings: {
    ...settings,
    dockerHost: place.address,
    dockerCertPath: place.certPath ?? settings.dockerCertPath,
  },
  by: place.by,
  passed,
});

const NOT_THERE = 'it is not there';

/** Undefined: an engine responds. */
async function problemOf({ address, certPath }: EnginePlace): Promise<string | undefined> {
  const socket = /^unix:\/\/(.+)$/.exec(address)?.[1];
  if (socket !== undefined && !(await isThere(socket))) return NOT_THERE;
  try {
    const { api, close } = await connect({ address, certPath });
    try {
      await api.traits();
      return undefined;
    } finally {
      await close();
    }
  } catch (error) {
    return messageOf(error);
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    (known) => known.isSocket(),
    () => false, // it does not exist, or belongs to another user
  );

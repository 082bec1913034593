/** Containers in the engine's responses. Pure. */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import type { ContainerState } from '../ports.ts';
import { checked } from './checked.ts';
import { shortName, instant, labels, strings, text } from './fields.ts';

/** Docker's states, then Podman's additional ones: each as the state that matters to whoever waits for the end. */
const STATES = new Map<string, ContainerState['status']>([
  ['created', 'created'],
  ['running', 'running'],
  ['paused', 'paused'],
  ['restarting', 'restarting'],
  ['removing', 'removing'],
  ['exited', 'exited'],
  ['dead', 'dead'],
  ['configured', 'created'],
  ['initialized', 'created'],
  ['stopping', 'running'],
  // It has ended and has an exit code; only its mounts still exist.
  ['stopped', 'exited'],
]);

const networks = z
  .object({ Networks: z.record(z.string(), z.object({ IPAddress: text })).nullish() })
  .nullish()
  .transform((value) =>
    Object.fromEntries(
      Object.entries(value?.Networks ?? {}).flatMap(([name, { IPAddress }]) =>
        IPAddress === '' ? [] : [[name, IPAddress]],
      ),
    ),
  );

const inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  Created: instant,
  State: z.object({
    Status: z.string(),
    ExitCode: z.number(),
    OOMKilled: z.boolean(),
    Error: text,
    StartedAt: instant,
    FinishedAt: instant,
  }),
  Config: z.object({ Image: text, Labels: labels }),
  NetworkSettings: networks,
});

/** From the response of `GET /containers/X/json`. Throws `engine/failed`, also for an unknown state. */
export function containerState(response: unknown, action = 'inspect a container'): ContainerState {
  const found = checked(inspected, response, action);
  const status = STATES.get(found.State.Status);
  if (status === undefined)
    throw new DavitError(
      'engine/failed',
      `Cannot ${action}: its state is "${found.State.Status}", which davit does not know.`,
    );
  return {
    id: found.Id,
    name: found.Name.replace(/^\//, ''),
    status,
    exitCode: found.State.ExitCode,
    oomKilled: found.State.OOMKilled,
    error: found.State.Error,
    startedAt: found.State.StartedAt,
    finishedAt: found.State.FinishedAt,
    image: shortName(found.Config.Image),
    labels: found.Config.Labels,
    createdAt: found.Created,
    addresses: found.NetworkSettings,
  };
}

const listed = z.array(
  z.object({
    Id: z.string(),
    Names: strings,
    Image: text,
    Created: z.number(),
    State: z.string(),
    Status: text,
    Labels: labels,
    NetworkSettings: networks,
  }),
);

/** From the response of `GET /containers/json`. Fields that a list lacks (times of start and end, memory) are 0 or false. */
export function containerList(response: unknown): ContainerState[] {
  return checked(listed, response, 'list containers').map((found) => ({
    id: found.Id,
    name: found.Names[0]?.replace(/^\//, '') ?? found.Id,
    // A container in an unknown state may run. It must not hide the others.
    status: STATES.get(found.State) ?? 'running',
    exitCode: Number(/^Exited \((\d+)\)/.exec(found.Status)?.[1] ?? 0),
    oomKilled: false,
    error: '',
    startedAt: 0,
    finishedAt: 0,
    image: shortName(found.Image),
    labels: found.Labels,
    createdAt: found.Created * 1000,
    addresses: found.NetworkSettings,
  }));
}

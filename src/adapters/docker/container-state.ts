/** Containers in the engine's responses. Pure. */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import type { ContainerState } from '../ports.ts';
import { checked } from './checked.ts';
import { familiar, instant, labels, strings, text } from './fields.ts';

/** States of Docker, then those that Podman has besides: what they mean for somebody who waits for the end. */
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
  // Ended, with its exit code; only its mounts are still there.
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

/** Answer of `GET /containers/X/json`. Throws `engine/failed`, also for a state that says neither that it runs nor that it ended. */
export function containerState(answer: unknown, what = 'look at a container'): ContainerState {
  const found = checked(inspected, answer, what);
  const status = STATES.get(found.State.Status);
  if (status === undefined)
    throw new DavitError(
      'engine/failed',
      `Cannot ${what}: the engine says that it is "${found.State.Status}", which is no state that davit knows.`,
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
    image: familiar(found.Config.Image),
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

/** Answer of `GET /containers/json`: what a list does not tell (times of start and end, memory) is 0 or false. */
export function containerList(answer: unknown): ContainerState[] {
  return checked(listed, answer, 'list containers').map((found) => ({
    id: found.Id,
    name: found.Names[0]?.replace(/^\//, '') ?? found.Id,
    // One that is in doubt may run; the others are listed all the same.
    status: STATES.get(found.State) ?? 'running',
    exitCode: Number(/^Exited \((\d+)\)/.exec(found.Status)?.[1] ?? 0),
    oomKilled: false,
    error: '',
    startedAt: 0,
    finishedAt: 0,
    image: familiar(found.Image),
    labels: found.Labels,
    createdAt: found.Created * 1000,
    addresses: found.NetworkSettings,
  }));
}

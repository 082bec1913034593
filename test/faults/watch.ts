/**
 * Records crossings and engine events in the history: effects at a target, writes to the log store,
 * containers of scripts.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { decodeFrame } from '../../src/adapters/http/wire.ts';
import { DEPLOY_ID, DEPLOY_SEQ } from '../../src/adapters/swarm/labels.ts';
import { LABELS } from '../../activities/runtime/container-names.ts';
import type { Border, Observer } from './border.ts';
import type { OwnEngine } from './engine.ts';
import type { Answer, History, Recorded } from './history.ts';

export const answerOf = (status: number | undefined): Answer => {
  if (status === undefined || status >= 500) return 'unknown';
  return status < 300 ? 'ok' : 'refused';
};
const WRITES = /\/internal\/v1\/logs\/(open|append|end)$/;
const ref = z.object({ pipeline: z.string(), job: z.string(), attempt: z.number() });
const write = z.object({ ref, epoch: z.number(), offset: z.number().optional() });

export const logWrites = (history: History): Observer => ({
  wants: ({ path }) => WRITES.test(path),
  saw({ path, body }, status) {
    const what = WRITES.exec(path)?.[1] as 'open' | 'append' | 'end';
    const frame = what === 'append' ? decodeFrame(body) : { head: JSON.parse(body.toString()) as unknown };
    const { ref, ...more } = write.parse(frame.head);
    const bytes = 'bytes' in frame ? frame.bytes.toString('latin1') : undefined;
    history.add({ type: 'write', what, ...ref, ...more, bytes, answer: answerOf(status) });
  },
});

const service = z.object({ Name: z.string(), Labels: z.record(z.string(), z.string()).nullish() });
const CHANGES = /^(POST|DELETE) (?:\/v[\d.]+)?\/services\/(create|([^/]+)\/update|([^/?]+))(\?|$)/;

export const targetEffects = (history: History): Observer => ({
  wants: ({ method, path }) => CHANGES.test(`${method} ${path}`),
  saw({ method, path, body }, status) {
    const found = CHANGES.exec(`${method} ${path}`);
    if (method === 'DELETE')
      return history.add({
        type: 'effect',
        service: found?.[4] ?? '',
        what: 'remove',
        deployId: '',
        seq: 0,
        answer: answerOf(status),
      });
    const { Name, Labels } = service.parse(JSON.parse(body.toString()));
    history.add({
      type: 'effect',
      service: Name,
      what: found?.[2] === 'create' ? 'create' : 'update',
      deployId: Labels?.[DEPLOY_ID] ?? '',
      seq: Number(Labels?.[DEPLOY_SEQ] ?? 0),
      // An engine's 500 for an outdated version is a refusal.
      answer: status === 500 ? 'refused' : answerOf(status),
    });
  },
});

const event = z.object({
  Action: z.string(),
  Type: z.string(),
  timeNano: z.number(),
  Actor: z.object({ Attributes: z.record(z.string(), z.string()) }),
});

/** Runs until the returned function is called; continues when the engine is up again. */
export function watchContainers(history: History, of: { address: string; name: string }): () => void {
  let over = false;
  /** After a restart of the engine, requested events are repeated. */
  const seen = new Set<number>();
  let child: ChildProcess | undefined;
  const follow = (since?: number): void => {
    if (over) return;
    const args = [
      '-H',
      of.address,
      'events',
      '--format',
      '{{json .}}',
      '--filter',
      `label=${LABELS.kind}=job`,
    ];
    if (since !== undefined) args.push('--since', String(since));
    const events = spawn('docker', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    child = events;
    createInterface({ input: events.stdout }).on('line', (line) => {
      const { Action, Type, Actor, timeNano } = event.parse(JSON.parse(line));
      if (seen.has(timeNano)) return;
      seen.add(timeNano);
      if (Type !== 'container' || (Action !== 'start' && Action !== 'die')) return;
      const { Attributes: labels } = Actor;
      history.add({
        type: 'container',
        what: Action,
        name: labels.name ?? '',
        pipeline: labels[LABELS.pipeline] ?? '',
        job: labels[LABELS.key] ?? '',
        engine: of.name,
      });
    });
    const from = Math.floor(Date.now() / 1_000);
    events.once('exit', () => setTimeout(() => follow(from), 300));
  };
  follow();
  return () => {
    over = true;
    child?.kill('SIGKILL');
  };
}

/** An engine that restarts does not report every container that ended with it. */
export async function endedWith(
  history: History,
  engine: { name: string; docker(...args: string[]): Promise<string> },
): Promise<void> {
  const running = new Set((await engine.docker('ps', '--format', '{{.Names}}')).split('\n'));
  const live = new Map<string, Extract<Recorded, { type: 'container' }>>();
  for (const event of history.events) {
    if (event.type !== 'container' || event.engine !== engine.name) continue;
    if (event.what === 'start') live.set(event.name, event);
    else live.delete(event.name);
  }
  for (const { at: _at, ...event } of live.values())
    if (!running.has(event.name)) history.add({ ...event, what: 'die' });
}

/** Restarts an engine; its clients reach it again when the history has the containers that ended with it. */
export async function restarted(
  engine: OwnEngine,
  signal: 'SIGTERM' | 'SIGKILL',
  { history, borders }: { history: History; borders: readonly Border[] },
): Promise<void> {
  for (const border of borders) border.cut();
  history.add({ type: 'engine', what: 'down', engine: engine.name });
  await engine.down(signal);
  await engine.up();
  await endedWith(history, engine);
  history.add({ type: 'engine', what: 'up', engine: engine.name });
  for (const border of borders) border.open();
}

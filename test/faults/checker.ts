/**
 * The invariants I1 to I9 over a recorded history, one function each. Pure: it makes no requests and reads no
 * clock. A request without a response counts as unknown: it may have happened, or may yet happen, and neither
 * is a break.
 */
import { crc32 } from 'node:zlib';
import type { LogOf, Recorded } from './history.ts';

export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9';
export interface Break {
  invariant: Invariant;
  text: string;
}
type Of<T extends Recorded['type']> = Extract<Recorded, { type: T }>;

const of = <T extends Recorded['type']>(events: readonly Recorded[], type: T): Of<T>[] =>
  events.filter((event): event is Of<T> => event.type === type);
const logKey = ({ pipeline, job, attempt }: LogOf): string => `${pipeline} ${job} #${attempt}`;

function groups<T>(list: readonly T[], key: (one: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const one of list) found.set(key(one), [...(found.get(key(one)) ?? []), one]);
  return found;
}

/** I1: a key that was acknowledged has exactly one pipeline; one that was not has at most one. */
function oncePerKey(events: readonly Recorded[]): string[] {
  const pipelines = of(events, 'pipeline');
  const keys = groups(of(events, 'trigger'), ({ project, key }) => `${project} ${key}`);
  return [...keys].flatMap(([name, sent]) => {
    const [first] = sent;
    const acked = sent.some(({ answer }) => answer === 'ok');
    const ids = new Set(
      pipelines.filter((one) => one.project === first?.project && one.sha === first.sha).map(({ id }) => id),
    );
    if (ids.size > 1) return [`${name} started ${ids.size} pipelines: ${[...ids].join(', ')}`];
    if (acked && ids.size === 0) return [`${name} was acknowledged and started no pipeline`];
    return [];
  });
}

/**
 * I2: at most one effect a deploy id, never before its approval nor after its acknowledged cancel; the newest
 * stands.
 */
function deployedOnce(events: readonly Recorded[]): string[] {
  const effects = of(events, 'effect').filter(({ answer, what }) => answer === 'ok' && what !== 'remove');
  const breaks: string[] = [];
  for (const [id, list] of groups(effects, ({ deployId }) => deployId))
    if (id !== '' && list.length > 1) breaks.push(`deployment ${id} took effect ${list.length} times`);
  const decisions = of(events, 'decision');
  for (const known of of(events, 'deployment')) {
    const effect = effects.find(({ deployId }) => deployId === known.deployId);
    if (!effect) continue;
    const about = decisions.filter(({ id }) => id === known.pipeline);
    const asked = about.find(
      ({ job, action, answer }) => job === known.job && action === 'play' && answer !== 'refused',
    );
    if (known.gated && !(asked && (asked.askedAt ?? asked.at) <= effect.at))
      breaks.push(`deployment ${known.deployId} took effect before its approval`);
    const cancel = about.find(({ action, answer }) => action === 'cancel' && answer === 'ok');
    if (cancel && cancel.at + CANCEL_MS < effect.at)
      breaks.push(`deployment ${known.deployId} took effect after its cancel was acknowledged`);
  }
  for (const { service, seq } of of(events, 'target')) {
    const newest = Math.max(0, ...effects.filter((one) => one.service === service).map((one) => one.seq));
    if (seq < newest) breaks.push(`${service} ends at sequence ${seq}, and ${newest} was deployed`);
  }
  return breaks;
}
/**
 * A cancel is acknowledged when it is in history; an ongoing deployment learns of it at its next heartbeat.
 */
const CANCEL_MS = 15_000;

/**
 * I3: acknowledged bytes are in the log; lines appear once and in order, without a gap unless the log reports
 * one.
 */
function logsWhole(events: readonly Recorded[]): string[] {
  const finals = new Map(of(events, 'log').map((log) => [logKey(log), log]));
  const breaks: string[] = [];
  for (const write of of(events, 'write')) {
    if (write.what !== 'append' || write.answer !== 'ok' || write.bytes === undefined) continue;
    const log = finals.get(logKey(write));
    const at = write.offset ?? 0;
    if (log && log.bytes.slice(at, at + write.bytes.length) !== write.bytes)
      breaks.push(`${logKey(write)}: ${write.bytes.length} acknowledged bytes at ${at} do not stand there`);
  }
  for (const [name, log] of finals) {
    const crc = crc32(Buffer.from(log.bytes, 'latin1')).toString(16).padStart(8, '0');
    if (log.ended && log.crc !== undefined && log.crc !== crc)
      breaks.push(`${name}: its end says CRC ${log.crc}, its bytes are ${crc}`);
  }
  for (const { prefix, count, ...ref } of of(events, 'lines')) {
    const log = finals.get(logKey(ref));
    if (log) breaks.push(...linesOf(log, prefix, count).map((text) => `${logKey(ref)}: ${text}`));
  }
  return breaks;
}

function linesOf(log: Of<'log'>, prefix: string, count: number): string[] {
  const found = [...log.bytes.matchAll(new RegExp(`^${prefix}-(\\d+)\\r?$`, 'gm'))].map((match) =>
    Number(match[1]),
  );
  const wrong = found.find((line, at) => at > 0 && line <= (found[at - 1] ?? -1));
  if (wrong !== undefined) return [`line ${prefix}-${wrong} stands twice or out of order`];
  const whole = found.length === count;
  if (!whole && log.complete)
    return [`${found.length} of ${count} lines stand in a log that says it is complete`];
  return [];
}

/**
 * I4: no script runs twice, and a job never has two live containers, except after a declared loss of the
 * older one's machine; once the first has ended, a person may request a second, and so may its `retry:` if
 * the first ended with its engine.
 */
function oneContainer(events: readonly Recorded[]): string[] {
  const last = new Map<string, Of<'container'>>();
  const asked = new Set<string>();
  const retries = new Set(of(events, 'retries').map(({ id }) => id));
  const down = new Set<string>();
  const endedByEngine = new Set<string>();
  const live = new Map<string, Map<string, string>>();
  const started = new Set<string>();
  const lost = new Set<string>();
  const breaks: string[] = [];
  for (const event of events) {
    if (event.type === 'host-lost') lost.add(event.engine);
    if (event.type === 'decision' && event.action === 'retry' && event.answer !== 'refused')
      asked.add(event.id);
    if (event.type === 'engine') {
      if (event.what === 'down') down.add(event.engine);
      else down.delete(event.engine);
    }
    if (event.type !== 'container') continue;
    if (event.what === 'die' && down.has(event.engine) && retries.has(event.pipeline))
      endedByEngine.add(event.name);
    const job = `${event.pipeline} ${event.job}`;
    const names = live.get(job) ?? new Map<string, string>();
    live.set(job, names);
    if (event.what === 'die') names.delete(event.name);
    else {
      if (started.has(event.name)) breaks.push(`${job}: ${event.name} was started twice`);
      started.add(event.name);
      const others = [...names].filter(([name, engine]) => name !== event.name && !lost.has(engine));
      if (others.length > 0) breaks.push(`${job}: ${event.name} started while ${others[0]?.[0]} ran`);
      const before = last.get(job) ?? event;
      last.set(job, event);
      const isSecond = before.name !== event.name && others.length === 0;
      const allowed = lost.has(before.engine) || asked.has(event.pipeline) || endedByEngine.has(before.name);
      if (isSecond && !allowed)
        breaks.push(`${job}: ${event.name} started after ${before.name}, and nobody had asked for it`);
      names.set(event.name, event.engine);
    }
  }
  return breaks;
}

/** I5: every pipeline ends, and in time. */
function everyEnds(events: readonly Recorded[]): string[] {
  const statuses = groups(of(events, 'status'), ({ id }) => id);
  return of(events, 'pipeline').flatMap(({ id, at, deadlineMs }) => {
    const end = statuses.get(id)?.find(({ ended }) => ended);
    if (!end) return [`${id} has not ended`];
    return end.at - at > deadlineMs ? [`${id} ended ${Math.round(end.at - at - deadlineMs)} ms late`] : [];
  });
}

/** I6: the canary is nowhere. */
const canaryHidden = (events: readonly Recorded[]): string[] =>
  of(events, 'sink').flatMap(({ name, found }) => (found ? [`the secret stands in ${name}`] : []));

/** I7: an end is an end. */
function endsStay(events: readonly Recorded[]): string[] {
  const again = new Set(of(events, 'again').map(({ id }) => id));
  const kept = of(events, 'status').filter(({ id }) => !again.has(id));
  return [...groups(kept, ({ id }) => id)].flatMap(([id, seen]) => {
    const first = seen.findIndex(({ ended }) => ended);
    const end = seen[first];
    const other = end && seen.slice(first).find(({ state }) => state !== end.state);
    return other ? [`${id} ended as ${end.state} and was ${other.state} later`] : [];
  });
}

/** I8: once a newer epoch has written, an older one is refused; and at a target a sequence only rises. */
function lateFenced(events: readonly Recorded[]): string[] {
  const highest = new Map<string, number>();
  const breaks: string[] = [];
  for (const event of events) {
    if (event.type === 'write' && event.answer === 'ok') {
      const key = `log ${logKey(event)}`;
      const seen = highest.get(key) ?? 0;
      if (event.epoch < seen)
        breaks.push(`${key}: ${event.what} of epoch ${event.epoch} was taken after ${seen}`);
      highest.set(key, Math.max(seen, event.epoch));
    }
    if (event.type === 'effect' && event.answer === 'ok' && event.what !== 'remove') {
      const key = `service ${event.service}`;
      const seen = highest.get(key) ?? 0;
      if (event.seq < seen) breaks.push(`${key}: sequence ${event.seq} was deployed over ${seen}`);
      highest.set(key, Math.max(seen, event.seq));
    }
  }
  return breaks;
}

/** I9: nothing of an ended run remains, and nothing foreign was touched. */
function nothingLeft(events: readonly Recorded[]): string[] {
  return [
    ...of(events, 'leftover').flatMap(({ what, name, open }) => (open ? [] : [`${what} ${name} was left`])),
    ...of(events, 'foreign').flatMap(({ name, there }) =>
      there ? [] : [`${name} is not davit's and is gone`],
    ),
  ];
}

const INVARIANTS: Record<Invariant, (events: readonly Recorded[]) => string[]> = {
  I1: oncePerKey,
  I2: deployedOnce,
  I3: logsWhole,
  I4: oneContainer,
  I5: everyEnds,
  I6: canaryHidden,
  I7: endsStay,
  I8: lateFenced,
  I9: nothingLeft,
};

/** Every break, in the order of the invariants; empty if the history holds. */
export const check = (events: readonly Recorded[]): Break[] =>
  Object.entries(INVARIANTS).flatMap(([name, holds]) =>
    holds(events).map((text) => ({ invariant: name as Invariant, text })),
  );

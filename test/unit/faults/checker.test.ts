/** For each invariant a history that satisfies it and one that violates it, constructed by hand. */
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { check, type Invariant } from '../../faults/checker.ts';
import { randomOf, type HistoryEvent, type Recorded } from '../../faults/history.ts';

const at = (events: readonly HistoryEvent[]): Recorded[] =>
  events.map((event, index) => ({ ...event, at: index * 1_000 }));
const broken = (...events: HistoryEvent[]): Invariant[] =>
  check(at(events)).map(({ invariant }) => invariant);
const crcOf = (text: string): string => crc32(Buffer.from(text, 'latin1')).toString(16).padStart(8, '0');

const id = 'table/1';
const sent = (more: object = {}): HistoryEvent => ({
  type: 'trigger',
  project: 'table',
  key: 'k',
  sha: 'a',
  answer: 'ok',
  ...more,
});
const pipeline = (more: object = {}): HistoryEvent => ({
  type: 'pipeline',
  id,
  project: 'table',
  sha: 'a',
  deadlineMs: 60_000,
  ...more,
});
const status = (state: string, ended: boolean): HistoryEvent => ({ type: 'status', id, state, ended });
const done = status('success', true);
const effect = (
  deployId: string,
  seq: number,
  answer: 'ok' | 'refused' | 'unknown' = 'ok',
): HistoryEvent => ({ type: 'effect', service: 's', what: 'update', deployId, seq, answer });
const log = (bytes: string, more: object = {}): HistoryEvent => ({
  type: 'log',
  pipeline: id,
  job: 'j',
  attempt: 1,
  bytes,
  crc: crcOf(bytes),
  ended: true,
  complete: true,
  ...more,
});
const append = (offset: number, bytes: string, more: object = {}): HistoryEvent => ({
  type: 'write',
  what: 'append',
  pipeline: id,
  job: 'j',
  attempt: 1,
  epoch: 1,
  offset,
  bytes,
  answer: 'ok',
  ...more,
});
const lines = (count: number): HistoryEvent => ({
  type: 'lines',
  pipeline: id,
  job: 'j',
  attempt: 1,
  prefix: 'line',
  count,
});
const text = (...numbers: number[]): string => numbers.map((number) => `line-${number}\n`).join('');
const container = (what: 'start' | 'die', name: string, engine = 'e'): HistoryEvent => ({
  type: 'container',
  what,
  name,
  pipeline: id,
  job: 'j',
  engine,
});
const engine = (what: 'down' | 'up'): HistoryEvent => ({ type: 'engine', what, engine: 'e' });

describe('histories that satisfy the invariants', () => {
  const good: Record<string, HistoryEvent[]> = {
    'a whole run': [
      sent(),
      sent(),
      pipeline(),
      effect('d1', 1),
      log(text(0, 1)),
      append(0, text(0)),
      lines(2),
      container('start', 'c1'),
      container('die', 'c1'),
      status('running', false),
      done,
      done,
    ],
    'a start that nobody answered, and that was none': [sent({ answer: 'unknown' })],
    'a start that nobody answered, and that was one': [sent({ answer: 'unknown' }), pipeline(), done],
    'an effect that the target refused': [effect('d1', 1), effect('d1', 1, 'refused')],
    'an effect that may not have been': [effect('d1', 1, 'unknown'), effect('d1', 1)],
    'lines that are lost in a log that says so': [log(text(0, 2), { complete: false }), lines(3)],
    'a late write that was refused': [
      append(0, 'a', { epoch: 2 }),
      append(1, 'b', { epoch: 1, answer: 'refused' }),
      log('a'),
    ],
    'a second container that a person has asked for': [
      container('start', 'c1'),
      container('die', 'c1'),
      { type: 'decision', id, job: 'j', action: 'retry', answer: 'ok' },
      container('start', 'c2'),
    ],
    'a second container of a job that retries, after one that ended with its engine': [
      { type: 'retries', id },
      container('start', 'c1'),
      engine('down'),
      container('die', 'c1'),
      engine('up'),
      container('start', 'c2'),
    ],
    'a second container after its host was lost': [
      container('start', 'c1', 'gone'),
      { type: 'host-lost', engine: 'gone' },
      container('start', 'c2'),
    ],
    'an approval, then its effect': [
      { type: 'deployment', deployId: 'd1', service: 's', pipeline: id, job: 'j', gated: true },
      { type: 'decision', id, job: 'j', action: 'play', answer: 'ok' },
      effect('d1', 1),
    ],
    'what is left of a run that is open': [{ type: 'leftover', what: 'volume', name: 'v', open: true }],
  };
  test.each(Object.entries(good))('%s', (_, events) => {
    expect(broken(...events)).toEqual([]);
  });
});

describe('histories that violate them', () => {
  const gate: HistoryEvent = {
    type: 'deployment',
    deployId: 'd1',
    service: 's',
    pipeline: id,
    job: 'j',
    gated: true,
  };
  const filler = Array.from({ length: 20 }, () => status('running', false));
  const bad: [Invariant, string, HistoryEvent[]][] = [
    [
      'I1',
      'two pipelines of one key',
      [sent(), pipeline(), pipeline({ id: 'table/2' }), done, { ...done, id: 'table/2' } as HistoryEvent],
    ],
    ['I1', 'an acknowledged start that is lost', [sent()]],
    ['I2', 'one deployment, two effects', [effect('d1', 1), effect('d1', 1)]],
    [
      'I2',
      'an effect before its approval',
      [gate, effect('d1', 1), { type: 'decision', id, job: 'j', action: 'play', answer: 'ok' }],
    ],
    [
      'I2',
      'an effect without an approval',
      [gate, { type: 'decision', id, job: 'j', action: 'play', answer: 'refused' }, effect('d1', 1)],
    ],
    [
      'I2',
      'an effect long after its cancel',
      [
        { ...gate, gated: false } as HistoryEvent,
        { type: 'decision', id, job: '', action: 'cancel', answer: 'ok' },
        ...filler.map(() => ({ type: 'fault', row: 0, what: '' }) as HistoryEvent),
        effect('d1', 1),
      ],
    ],
    [
      'I2',
      'a target that went back',
      [effect('d2', 2), { type: 'target', service: 's', deployId: 'd1', seq: 1 }],
    ],
    ['I3', 'acknowledged bytes that are lost', [append(0, 'abc'), log('ab')]],
    ['I3', 'an end that is of other bytes', [log('abc', { crc: crcOf('abd') })]],
    ['I3', 'a doubled line', [log(text(0, 1, 1)), lines(3)]],
    ['I3', 'lines out of order', [log(text(1, 0), { complete: false }), lines(2)]],
    ['I3', 'a gap that is not told', [log(text(0, 2)), lines(3)]],
    ['I4', 'two live containers', [container('start', 'c1'), container('start', 'c2')]],
    [
      'I4',
      'a second container that nobody asked for',
      [container('start', 'c1'), container('die', 'c1'), container('start', 'c2')],
    ],
    [
      'I4',
      'a second container of a job that retries, and that did not end with its engine',
      [{ type: 'retries', id }, container('start', 'c1'), container('die', 'c1'), container('start', 'c2')],
    ],
    [
      'I4',
      'a second container of a job that does not retry, after its engine',
      [
        container('start', 'c1'),
        engine('down'),
        container('die', 'c1'),
        engine('up'),
        container('start', 'c2'),
      ],
    ],
    [
      'I4',
      'a script that ran twice',
      [container('start', 'c1'), container('die', 'c1'), container('start', 'c1')],
    ],
    ['I5', 'a pipeline without an end', [pipeline(), status('running', false)]],
    ['I5', 'an end that is late', [pipeline({ deadlineMs: 500 }), done]],
    ['I6', 'the secret in a log', [{ type: 'sink', name: 'log', found: true }]],
    ['I7', 'an end that changes', [done, status('failed', true)]],
    ['I7', 'an end that runs again', [done, status('running', false)]],
    [
      'I8',
      'a write of an old epoch',
      [append(0, 'a', { epoch: 2 }), append(1, 'b', { epoch: 1 }), log('ab')],
    ],
    ['I8', 'an old deployment over a new one', [effect('d2', 2), effect('d1', 1)]],
    ['I9', 'a container that was left', [{ type: 'leftover', what: 'container', name: 'c', open: false }]],
    ['I9', 'a foreign volume that is gone', [{ type: 'foreign', name: 'theirs', there: false }]],
  ];
  test.each(bad)('%s: %s', (invariant, _, events) => {
    expect(new Set(broken(...events))).toEqual(new Set([invariant]));
  });
});

test('any log in chunks passes, and with any chunk lost, doubled or moved it fails', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 40 }),
      fc.integer({ min: 0, max: 1_000 }),
      fc.constantFrom('whole', 'lost', 'doubled', 'moved'),
      (count, where, how) => {
        const numbers = Array.from({ length: count }, (_, number) => number);
        const place = where % (count - 1);
        if (how === 'lost') numbers.splice(place, 1);
        if (how === 'doubled') numbers.splice(place, 0, place);
        if (how === 'moved') numbers.splice(place + 1, 0, ...numbers.splice(place, 1));
        expect(broken(log(text(...numbers)), lines(count))).toEqual(how === 'whole' ? [] : ['I3']);
      },
    ),
  );
});

test('a seed gives the same run everywhere', () => {
  const of = (seed: number): number[] => Array.from({ length: 5 }, randomOf(seed).next);
  expect(of(7)).toEqual(of(7));
  expect(of(7)).not.toEqual(of(8));
  const random = randomOf(3);
  expect(() => random.pick([])).toThrow('nothing');
  expect(['a', 'b']).toContain(random.pick(['a', 'b']));
});

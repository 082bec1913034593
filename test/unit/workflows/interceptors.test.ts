import { expect, test } from 'vitest';
import { QUERY_NOT_READY, QUERY_CLOSED } from '../../../src/plan/model/protocol.ts';
import { QueryGuard, type Activation } from '../../../workflows/interceptors.ts';

/** Only the facts that are read: the number of events, and the size at the last started task. */
const events = (historyLength: number, size: number, isReplaying = false): Activation => ({
  historyLength,
  historySizeBytes: size,
  isReplaying,
  jobs: [{}],
});
const replayed = (length: number, size: number): Activation => events(length, size, true);
const question: Activation = { isReplaying: true, jobs: [{ queryWorkflow: { queryId: 'legacy_query' } }] };
const ofClosed: Activation = {
  isReplaying: true,
  jobs: [{ queryWorkflow: { queryId: 'legacy_query', headers: { [QUERY_CLOSED]: {} } } }],
};
const withTask: Activation = { isReplaying: true, jobs: [{ queryWorkflow: { queryId: '7' } }] };

const cases: [string, Activation[], 'answers' | 'asks again'][] = [
  ['a workflow of its own', [events(3, 100), question], 'answers'],
  ['its later tasks', [events(3, 100), events(9, 300), question, question], 'answers'],
  [
    'a task of which signals come first',
    [events(3, 100), events(9, 300), events(9, 300), question],
    'answers',
  ],
  ['one that it only replays', [replayed(3, 100), replayed(9, 300), question], 'answers'],
  ['a task after an answer from replay', [replayed(3, 100), question, events(9, 300), question], 'answers'],
  [
    'the second task after a replay',
    [replayed(3, 100), events(9, 300), events(12, 400), question],
    'answers',
  ],
  ['events without a task', [replayed(3, 100), events(7, 100), question], 'asks again'],
  ['events without a task, where it was held', [events(3, 100), events(7, 100), question], 'asks again'],
  [
    'a task after a replay, which may be that of another worker',
    [replayed(3, 100), events(9, 300), question],
    'asks again',
  ],
  [
    'events without a task, of a workflow that is closed',
    [replayed(3, 100), events(7, 100), ofClosed],
    'answers',
  ],
  ['a question that came with the task', [replayed(3, 100), events(9, 300), withTask], 'answers'],
];
test.each(cases)('%s', (_, steps, expected) => {
  const guard = new QueryGuard();
  const last = steps.pop();
  for (const step of steps) guard.check(step);
  const ask = (): void => guard.check(last ?? question);
  if (expected === 'answers') expect(ask).not.toThrow();
  else expect(ask).toThrow(QUERY_NOT_READY);
});

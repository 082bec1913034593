import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  RetryState,
  TimeoutFailure,
  TimeoutType,
} from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { classify } from '../../../workflows/failures.ts';

const failed = (cause: Error): ActivityFailure =>
  new ActivityFailure('failed', 'runJob', 'a/1/1', RetryState.MAXIMUM_ATTEMPTS_REACHED, 'worker', cause);
const application = (type: string, details?: unknown[]): ApplicationFailure =>
  ApplicationFailure.create({ type, message: 'words', details });

describe("what an activity's failure means", () => {
  test.each<[string, Error, unknown]>([
    ['a cancel', failed(new CancelledFailure('cancelled')), { kind: 'cancelled' }],
    ['a cancel before it was scheduled', new CancelledFailure('cancelled'), { kind: 'cancelled' }],
    ['detached', failed(application('Detached', [{ host: 'h1' }])), { kind: 'detached', host: 'h1' }],
    ['handed back', failed(application('HandedBack')), { kind: 'requeued', reason: 'words' }],
    ['a worker that shuts down', failed(application('WorkerShutdown')), { kind: 'heartbeat-lost' }],
    [
      'silence with a container',
      failed(new TimeoutFailure('late', { host: 'h1' }, TimeoutType.HEARTBEAT)),
      { kind: 'heartbeat-lost', host: 'h1' },
    ],
    [
      'silence before a container',
      failed(new TimeoutFailure('late', undefined, TimeoutType.HEARTBEAT)),
      { kind: 'heartbeat-lost', host: undefined },
    ],
    [
      'no worker',
      failed(new TimeoutFailure('late', undefined, TimeoutType.SCHEDULE_TO_START)),
      { kind: 'unclaimed' },
    ],
    [
      'the guard',
      failed(new TimeoutFailure('late', undefined, TimeoutType.START_TO_CLOSE)),
      { kind: 'too-long' },
    ],
    ['anything else', failed(application('TypeError')), { kind: 'defect', message: 'words' }],
    ['detached without a host', failed(application('Detached', [{}])), { kind: 'defect', message: 'words' }],
  ])('%s', (_, error, expected) => {
    expect(classify(error)).toEqual(expected);
  });
});

import { describe, expect, test } from 'vitest';
import type { WorkerReport } from '../../../src/plan/model/queues.ts';
import type { JobStatus } from '../../../src/plan/model/protocol.ts';
import { waitingText } from '../../../src/plan/policy/waiting-text.ts';
import { workerNote, type SentJob } from '../../../src/plan/policy/worker-wait.ts';

const NOW = Date.UTC(2030, 0, 1, 12);
const worker = (more: Partial<WorkerReport> = {}): WorkerReport => ({
  id: 'w',
  hostId: 'h',
  hostName: 'board',
  arches: ['arm32'],
  emulated: [],
  tags: ['arm32', 'gpio', 'camera'],
  targets: [],
  deviceTags: [],
  slots: 2,
  version: '0',
  seenAt: 0,
  ...more,
});
const BOTH: SentJob = { queue: 'tag-gpio', tags: ['arm32', 'gpio', 'camera'] };
const note = (job: SentJob, ...fleet: WorkerReport[]) => workerNote(job, { fleet, now: NOW });
const away = { since: NOW - 78 * 60_000, message: 'No answer.' };
const running = ['a', 'b'].map((job) => ({ pipeline: 'p/1', job, attempt: 1 }));

describe('why no worker takes a job', () => {
  test.each<[string, SentJob, WorkerReport[], string | undefined]>([
    ['one is there', BOTH, [worker()], undefined],
    [
      'nobody has all of its tags',
      BOTH,
      [worker({ tags: ['gpio'] }), worker({ tags: ['camera'] })],
      'none is there',
    ],
    ['another architecture', BOTH, [worker({ arches: ['arm64'] })], 'none is there'],
    ['letter case counts', { queue: 'tag-GPIO', tags: ['GPIO'] }, [worker()], 'none is there'],
    ['it drains', BOTH, [worker({ draining: true })], 'board is draining'],
    ['its engine is away', BOTH, [worker({ away })], 'the engine of board is away since 10:42 UTC'],
    ['another one is there', BOTH, [worker({ away }), worker({ hostName: 'other' })], undefined],
    ['all slots are used', BOTH, [worker({ running })], 'board has no free slot (2 at once)'],
    ['its target', { queue: 'deploy-prod', tags: ['prod'] }, [worker({ targets: ['prod'] })], undefined],
    ['no worker of its target', { queue: 'deploy-prod', tags: ['prod'] }, [worker()], 'none is there'],
    ['its machine, which is full', { queue: 'host-h', tags: ['gone'] }, [worker({ running })], undefined],
    [
      'its machine is away',
      { queue: 'host-h', tags: [] },
      [worker({ away })],
      'the engine of board is away since 10:42 UTC',
    ],
    ['no forks there', { queue: 'forks-arm32', tags: [] }, [worker()], 'none is there'],
    ['forks there', { queue: 'forks-arm32', tags: [] }, [worker({ forks: true })], undefined],
  ])('%s', (_, job, fleet, expected) => {
    expect(note(job, ...fleet)).toBe(expected);
  });

  test('a machine that was there is named', () => {
    const gone = [{ name: 'pi', ...worker(), seenAt: NOW - 3 * 86_400_000 }];
    expect(workerNote(BOTH, { fleet: [], gone, now: NOW })).toBe(
      'none is there: pi was last seen at 2029-12-29 12:00 UTC',
    );
    const other = [{ name: 'pi', ...worker({ tags: ['gpio'] }), seenAt: NOW }];
    expect(workerNote(BOTH, { fleet: [], gone: other, now: NOW })).toBe('none is there');
  });
});

test('status names all tags that a worker needs, and the note', () => {
  const job = { key: 'j', phase: 'dispatched', queue: 'tag-gpio', waitingFor: 'queue:tag-gpio' } as JobStatus;
  const text = (more: Partial<JobStatus>) => waitingText('p/1', { ...job, ...more });
  expect(text({})).toBe('waits for a worker with the tag gpio');
  expect(text({ tags: ['gpio'], waitNote: 'board is draining' })).toBe(
    'waits for a worker with the tag gpio; board is draining',
  );
  expect(text({ tags: ['gpio', 'camera'], waitNote: 'none is there' })).toBe(
    'waits for a worker with the tags gpio, camera; none is there',
  );
});

/** Which pipeline `needs:pipeline: PROJECT` means, and who may follow it. */
import { describe, expect, test } from 'vitest';
import type { FindMirroredInput, MirroredAnswer } from '../../../../activities/contract.ts';
import { makeFindMirrored } from '../../../../activities/downstream/find-mirrored.ts';
import { installationSchema } from '../../../../src/installation.ts';
import type { PipelineId } from '../../../../src/plan/model/ids.ts';
import { emptyMemory, newestOf } from '../../../../src/plan/policy/memory.ts';
import { pipelineRecordName, type PipelineEntry } from '../../../../src/plan/model/records.ts';
import { memoryRecords, testFacts } from '../fakes.ts';

const lib = { name: 'lib', repository: 'group/lib', default_branch: 'trunk', artifacts_to: ['front'] };
async function find(
  ended: [number, string, string][],
  more: Partial<FindMirroredInput> = {},
  open?: PipelineId,
): Promise<MirroredAnswer> {
  const records = memoryRecords();
  for (const [iid, ref, source] of ended) {
    const id: PipelineId = `lib/${iid}`;
    const rest = { number: iid, project: 'lib', sha: '', title: '', waitingFor: [], startedAt: 0 };
    const summary = { ...rest, id, ref, source, state: 'success' as const };
    const entry: PipelineEntry = { record: `sha256:${'0'.repeat(64)}`, summary };
    await records.put(pipelineRecordName(id), entry);
  }
  const facts = testFacts();
  const { projects } = installationSchema.parse({ projects: [lib] });
  return makeFindMirrored({
    records,
    workflows: {
      newestOf: async (project, branch) => (project === 'lib' && branch === 'trunk' ? open : undefined),
    },
    facts: { ...facts, config: { ...facts.config, projects } },
  })({ project: 'front', pipeline: 'front/1', fork: false, mirrors: 'group/lib', ...more });
}

describe('a mirrored pipeline', () => {
  test('is the newest of the default branch, and not a child, merge request, tag or other branch', async () => {
    const others: [number, string, string][] = [
      [4, 'trunk', 'parent_pipeline'],
      [5, 'trunk', 'merge_request'],
      [6, 'trunk', 'tag'],
      [7, 'dev', 'push'],
    ];
    const found = await find([[2, 'trunk', 'push'], [3, 'trunk', 'pipeline'], ...others]);
    expect(found).toEqual({ project: 'lib', pipeline: 'lib/3' });
  });
  test('is an open one, unless a newer one has ended', async () => {
    expect(await find([[2, 'trunk', 'push']], {}, 'lib/9')).toMatchObject({ pipeline: 'lib/9' });
    expect(await find([[10, 'trunk', 'push']], {}, 'lib/9')).toMatchObject({ pipeline: 'lib/10' });
  });
  test.each<[string, Partial<FindMirroredInput>, string]>([
    ['a project that is not there', { mirrors: 'none' }, 'no project none'],
    ['one that does not name this one', { project: 'back' }, 'artifacts_to'],
    ['any, from a fork', { fork: true }, 'fork'],
    ['one without a pipeline', {}, 'No pipeline of trunk of lib'],
  ])('%s is refused', async (_what, more, message) => {
    expect(JSON.stringify(await find([], more))).toContain(message);
  });
  test('is never the pipeline that asks', async () => {
    const own = { project: 'lib', pipeline: 'lib/3' as const };
    expect(JSON.stringify(await find([[3, 'trunk', 'push']], own))).toContain('its own end');
  });
});

test('a project knows the newest pipeline of a branch, open or its head', () => {
  const run = { runId: 'r', ref: 'main', refKind: 'branch' as const, source: 'push' as const };
  const memory = emptyMemory();
  expect(newestOf(memory, 'main')).toBeNull();
  memory.heads = [{ ref: 'branch:main', sha: '', before: '', pipeline: 'p/5' }];
  memory.running = [
    { ...run, id: 'p/4', iid: 4 },
    { ...run, id: 'p/12', iid: 12, source: 'parent_pipeline' },
    { ...run, id: 'p/13', iid: 13, ref: 'dev' },
  ];
  expect(newestOf(memory, 'main')).toBe('p/5');
  memory.running.push({ ...run, id: 'p/10', iid: 10, source: 'pipeline' });
  expect(newestOf(memory, 'main')).toBe('p/10');
});

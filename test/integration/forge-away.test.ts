/** A push whose forge is away when its source is fetched: the pipeline waits, says so, and runs when the forge is back. */
import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CompileOutput } from '../../activities/contract.ts';
import { statusText } from '../../src/cli/view/status-view.ts';
import { planOf } from '../support/plans.ts';
import { LIMITS } from '../support/fakes.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

const SAID = "git could not fetch: fatal: unable to access 'https://forge.test/': Connection refused";
const failure = (type: string, message = SAID): ApplicationFailure =>
  ApplicationFailure.create({ type, message, nonRetryable: type !== 'git/unreachable' });
const DIGEST = `sha256:${'a'.repeat(64)}` as const;
const planned = (): CompileOutput => ({
  kind: 'plan',
  plan: planOf([{ key: 'a' }]),
  planBlob: DIGEST,
  jobIds: { a: 1 },
  warnings: [],
  limits: LIMITS,
  source: DIGEST,
  title: 'The title of the commit',
});

/** A forge that is away until `back`. */
function forgeOf(slug: string): { back(): void; asked(): number } {
  let away = true;
  let asked = 0;
  world.project(slug, {
    compile: () => {
      asked += 1;
      if (away) throw failure('git/unreachable');
      return planned();
    },
  });
  return { back: () => void (away = false), asked: () => asked };
}

test('it waits for the forge, visibly, however often the forge is asked in vain', async () => {
  const forge = forgeOf('shop');
  const id = await world.push('shop');
  const waits = await world.when(id, 'waits', (status) => status.waitingFor.includes('forge'));
  expect(waits).toMatchObject({ state: 'created', waitingFor: ['forge'], reason: SAID });
  expect(statusText(waits, { color: false, now: waits.startedAt })).toContain('waits for the forge');
  const { searchAttributes } = await world.handle(id).describe();
  expect(searchAttributes.DavitWaitingFor).toEqual(['nothing-runs', 'forge']);
  await expect.poll(forge.asked, { timeout: 20_000 }).toBeGreaterThan(3);
  forge.back();
  const ended = await world.end(id);
  expect([ended.state, ended.waitingFor, ended.reason]).toEqual(['success', [], undefined]);
  expect(ended.title).toBe('The title of the commit');
  expect(world.runs('shop')).toBe(1);
  // What fails in vain leaves nothing in the history but the wait itself.
  const { events } = await world.handle(id).fetchHistory();
  const compilations = (events ?? []).filter(
    (one) =>
      one.activityTaskScheduledEventAttributes?.activityType?.name === 'compilePipeline' ||
      one.activityTaskFailedEventAttributes,
  );
  expect(compilations.length).toBe(3);
});

test('a cancelled one does not wait any longer', async () => {
  forgeOf('left');
  const id = await world.push('left');
  await world.when(id, 'waits', (status) => status.waitingFor.includes('forge'));
  await world.handle(id).cancel();
  expect(await world.end(id)).toMatchObject({ state: 'canceled', waitingFor: [] });
});

test('a refused token ends it as failed: the file is not the cause', async () => {
  const problem = 'The repository refused the token that it was asked with. [git/denied]';
  world.project('denied', { compile: { kind: 'invalid', problems: [problem], cause: 'source' } });
  const ended = await world.end(await world.push('denied'));
  expect(ended).toMatchObject({ state: 'failed', reason: problem });
});

test('what else fails after the forge is back has its attempts, and ends it', async () => {
  const answers = ['git/unreachable', 'internal/defect', 'internal/defect'];
  world.project('broken', {
    compile: () => {
      throw failure(answers.shift() ?? 'internal/defect', 'a defect');
    },
  });
  expect(await world.end(await world.push('broken'))).toMatchObject({ state: 'failed', reason: 'a defect' });
  expect(answers).toEqual([]);
});

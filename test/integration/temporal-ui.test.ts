/** What operators see in Temporal's UI, in a real browser: the UI of the embedded server, and Debian's Chromium. */
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PipelineId } from '../../src/plan/model/ids.ts';
import { SIGNALS, type JobStarted } from '../../src/plan/model/protocol.ts';
import { pipelineLink, SEARCHES, searchLink, type TemporalUi } from '../../src/plan/policy/temporal-links.ts';
import { chromiumPart } from '../parts/chromium.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { planOf, push } from '../support/plans.ts';
import { until, World } from '../support/world.ts';

const PAGE = { timeout: 60_000 };
const gate = { approvers: ['ops'], expiresInMs: 3_600_000, requires: [] };

await describeWithParts("Temporal's UI", [chromiumPart], ([folder = '']) => {
  let world: World;
  let browser: Browser;
  let page: Page;
  let ui: TemporalUi;

  beforeAll(async () => {
    world = await World.start({ ui: true });
    ui = { address: world.temporal.ui ?? '', namespace: world.temporal.namespace };
    browser = await chromium.launch({ executablePath: join(folder, 'chromium'), args: ['--no-sandbox'] });
    page = await browser.newPage({ viewport: { width: 1_600, height: 1_000 } });
    page.setDefaultTimeout(PAGE.timeout);
    await pipelines(world);
  });
  afterAll(async () => {
    await browser?.close();
    await world?.close();
  });

  /** Expects the list of a query to show these workflows, as `Failed pipeline/bad/1`. */
  async function lists(query: string, expected: string[]): Promise<void> {
    await page.goto(searchLink(ui, query));
    const shown = async (): Promise<string[]> => {
      const texts = await page.locator('tbody tr', { hasText: 'pipeline/' }).allInnerTexts();
      return texts.map(stateAndId).toSorted();
    };
    await expect.poll(shown, PAGE).toEqual(expected);
  }

  /** Opens a pipeline by the link of `davit status`; returns its three Markdown frames: summary, details, current. */
  async function metadata(id: PipelineId): Promise<{ summary: string; details: string; current: string }> {
    await page.goto(pipelineLink(ui, id));
    await expect.poll(() => page.innerText('h1'), PAGE).toContain(`pipeline/${id}`);
    await page.getByRole('tab', { name: 'User Metadata' }).click();
    const frames = () => page.frames().filter((frame) => frame.url().includes('/render?'));
    const texts = async (): Promise<string[]> => {
      const shown = await Promise.all(frames().map((frame) => frame.innerText('body')));
      return shown.map((text) => text.replace(/\s+/g, ' ').trim()).filter((text) => text !== '');
    };
    await expect.poll(async () => (await texts()).length, PAGE).toBe(3);
    const [summary = '', details = '', current = ''] = await texts();
    return { summary, details, current };
  }

  test('lists each pipeline as it ended', async () => {
    await lists('WorkflowType = "pipeline"', [
      'Canceled pipeline/moved/1',
      'Canceled pipeline/stopped/1',
      'Completed pipeline/moved/2',
      'Completed pipeline/well/1',
      'Failed pipeline/bad/1',
      'Running pipeline/gated/1',
      'Running pipeline/lonely/1',
      'Running pipeline/resumed/1',
      'Running pipeline/retried/1',
    ]);
  });
  test('finds what waits for a person, what waits for a worker, and what stands still', async () => {
    await lists(SEARCHES.person.query, ['Running pipeline/gated/1']);
    await lists(SEARCHES.worker.query, ['Running pipeline/lonely/1']);
    await lists(SEARCHES.still.query, ['Running pipeline/gated/1', 'Running pipeline/lonely/1']);
  });
  test('says at a gate which command opens it, and what the pipeline is about', async () => {
    const { summary, details, current } = await metadata('gated/1');
    expect(summary).toBe('main bbbbbbbb A change');
    expect(details).toContain(`push of main at ${'b'.repeat(40)} by ann`);
    expect(current).toMatch(
      /^waits for a person, 1 of 2 jobs have ended deploy waits for a person: davit approve gated\/1 deploy \(ops, until /,
    );
  });
  test('says that a job has no worker', async () => {
    expect((await metadata('lonely/1')).current).toContain('board waits for a worker on nowhere');
  });
  test('says why a job is tried again, and marks its attempts in the history', async () => {
    expect((await metadata('retried/1')).current).toContain(
      'unit attempt 2, after failed: script, exit code 3',
    );
    await page.getByRole('tab', { name: 'History' }).click();
    await page.getByText('unit, attempt 2').first().waitFor();
  });
  test('says that a job was taken up again, and where', async () => {
    expect((await metadata('resumed/1')).current).toContain(
      'unit was taken up again (dispatch 2 of attempt 1)',
    );
    await page.getByRole('tab', { name: 'History' }).click();
    await page.getByText('unit, taken up again on h2').first().waitFor();
  });
  test('says why a pipeline failed', async () => {
    await page.goto(pipelineLink(ui, 'bad/1'));
    await page.getByText('"message": "unit failed: script, exit code 3"').first().waitFor();
    expect((await metadata('bad/1')).current).toContain('unit failed: script, exit code 3');
  });
});

/** Reads a row of the list. */
function stateAndId(row: string): string {
  const [id = '?'] = /pipeline\/\w+\/\d+/.exec(row) ?? [];
  const [state = '?'] = /Running|Completed|Failed|Canceled|Terminated|Timed Out/.exec(row) ?? [];
  return `${state} ${id}`;
}

/** One pipeline for each of these states. */
async function pipelines(world: World): Promise<void> {
  const unit = planOf([{ key: 'unit' }]);
  const failing = { outcome: 'failed', exit: 3 } as const;
  const retrying = planOf([{ key: 'unit', retry: { max: 1, when: [], exitCodes: [] } }]);
  world.project('gated', { plan: planOf([{ key: 'unit' }, { key: 'deploy', stage: 'ship', gate }]) });
  world.project('lonely', { plan: planOf([{ key: 'board', queue: 'nowhere' }]) });
  world.project('retried', { plan: retrying, behaviours: { unit: [failing, { hang: true }] } });
  const lost = { unit: [{ throw: 'detached' as const, host: 'h2' }], 'unit resume': [{ hang: true }] };
  world.project('resumed', { plan: unit, behaviours: lost });
  world.project('bad', { plan: unit, behaviours: { unit: [failing] } });
  world.project('well', { plan: unit });
  world.project('stopped', { plan: unit, behaviours: { unit: [{ hang: true }] } });
  world.project('moved', {
    plan: planOf([{ key: 'unit', interruptible: true }]),
    behaviours: { unit: [{ hang: true }, {}] },
  });
  for (const slug of ['gated', 'lonely', 'retried', 'resumed', 'bad', 'well', 'stopped'])
    await world.push(slug);
  await world.push('moved', push('b', 'a', '1'));
  const runs = (slug: string) => until(`${slug} runs`, async () => (world.runs(slug) > 0 ? true : undefined));
  await Promise.all([runs('moved'), runs('stopped')]);
  await world.push('moved', push('c', 'b', '2'));
  await world.handle('stopped/1').cancel();
  await started(world, 'retried/1', { attempt: 2, epoch: 1 });
  await started(world, 'resumed/1', { attempt: 1, epoch: 2 });
  await world.when('gated/1', 'its gate is open', ({ state }) => state === 'manual');
  await world.when('lonely/1', 'it has no worker', ({ waitingFor }) => waitingFor.length > 0);
  for (const id of ['bad/1', 'well/1', 'stopped/1', 'moved/1', 'moved/2'] as const) await world.closed(id);
}

/** As a worker reports it once the job has run for two seconds. */
async function started(world: World, id: PipelineId, at: { attempt: number; epoch: number }): Promise<void> {
  const { jobs } = await world.when(
    id,
    'it is dispatched',
    ({ jobs: [job] }) => job?.attempt === at.attempt && job.epoch === at.epoch,
  );
  const ref = { pipeline: id, job: 'unit', jobId: jobs[0]?.jobId ?? 0, ...at };
  await world.handle(id).signal<[JobStarted]>(SIGNALS.jobStarted, { ref, host: 'h2', at: Date.now() });
  await world.when(id, 'it runs', ({ jobs: [job] }) => job?.phase === 'running');
}

/** When the reconciler looks: at its start, and when the server is back, without the usual pauses. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DavitError } from '../../../src/errors.ts';
import { installationSchema } from '../../../src/installation.ts';
import { reconcileRecordName, type ReconcileRecord } from '../../../src/plan/model/records.ts';
import type { Trigger } from '../../../src/plan/model/trigger.ts';
import { runReconciler, type ReconcilerOptions } from '../../../workers/parts/reconciler.ts';

const sha = (letter: string): string => letter.repeat(40);
const REF = 'refs/heads/main';
let records: Map<string, unknown>;
let head: string;
let away: boolean;
let started: Trigger[];
let looked: number;
let running: { stop(): Promise<void> } | undefined;
beforeEach(() => {
  records = new Map();
  head = sha('b');
  away = false;
  started = [];
  looked = 0;
  const last: ReconcileRecord = { at: Date.now(), settled: { [REF]: sha('a') }, pending: {} };
  records.set(reconcileRecordName('table'), last);
});
afterEach(() => running?.stop());

function run(): void {
  const reach = (): void => {
    if (away) throw new DavitError('store/unreachable', 'The server did not respond.');
  };
  const { reconcile, ...config } = installationSchema.parse({
    projects: [{ name: 'table', forge: 'gitea', clone_url: 'https://forge.test/table.git' }],
    reconcile: { every: '1h', grace: '1h' },
  });
  const options: ReconcilerOptions = {
    records: {
      get: async <T>(name: string) => {
        reach();
        return structuredClone(records.get(name)) as T | undefined;
      },
      put: async (name, value) => {
        reach();
        records.set(name, structuredClone(value));
      },
    },
    source: {
      heads: async () => {
        looked += 1;
        return [{ ref: REF, sha: head, commit: head }];
      },
    },
    secrets: { resolve: async () => '', seal: () => Buffer.of(), unseal: () => Buffer.of() },
    start: async (trigger) => void started.push(trigger),
    pushed: async () => ({}),
    lookup: async (_project, key) =>
      started.some((one) => one.key === key) ? { state: 'started' } : { state: 'unknown' },
    facts: { installation: 'i', url: '', config: { ...config, reconcile, helper_image: 'h' } },
    say: () => {},
    settleMs: 20,
    probeMs: 10,
  };
  running = runReconciler(options);
}
const keys = (): string[] => started.map(({ key }) => key);

test('at its start it looks at once, however recent the last look was, and waits for no grace', async () => {
  run();
  await expect.poll(keys).toEqual([`push:${REF}:${sha('a')}:${sha('b')}`]);
  expect(looked).toBe(2);
});

test('when the server is back, what moved meanwhile is found, and nothing else is looked at in between', async () => {
  run();
  await expect.poll(keys).toHaveLength(1);
  away = true;
  head = sha('c');
  await new Promise((done) => setTimeout(done, 100));
  expect(started.length).toBe(1);
  away = false;
  await expect.poll(() => keys().at(-1)).toBe(`push:${REF}:${sha('a')}:${sha('c')}`);
  expect(looked).toBe(4);
});

test('a server that was away during the look itself', async () => {
  away = true;
  run();
  await new Promise((done) => setTimeout(done, 100));
  away = false;
  await expect.poll(keys).toHaveLength(1);
});

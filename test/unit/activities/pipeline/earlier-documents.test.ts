/**
 * Rolling upgrades: data that an earlier version has sent or stored is read by this one. `documents.json` was
 * written by such a version, before includes from other projects, reconciliation and releases; it is never
 * written again.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { limitsOf } from '../../../../activities/runtime/compiled-blobs.ts';
import { isProtected, projectOf } from '../../../../src/compiler/variables/installation.ts';
import { makeFindRecord, makeLoadRecord } from '../../../../activities/pipeline/record-pipeline.ts';
import { readFacts } from '../../../../src/adapters/http/facts.ts';
import { storedCopies } from '../../../../src/adapters/includes/copies.ts';
import { readingSecrets } from '../../../../src/adapters/secrets/index.ts';
import { installationSchema } from '../../../../src/installation.ts';
import type { InstallationFacts } from '../../../../src/installation-facts.ts';
import { compile } from '../../../../src/compiler/compile.ts';
import type { CompileRequest } from '../../../../src/compiler/request.ts';
import { deepest, USUAL_DEPTH } from '../../../../src/plan/policy/git-depth.ts';
import { emptyMemory, lateness, pushedHead, rememberHead } from '../../../../src/plan/policy/memory.ts';
import { nextSteps } from '../../../../src/plan/policy/schedule.ts';
import type { JobSpec } from '../../../../src/plan/model/spec.ts';
import { wireIncludes } from '../../../../src/wiring.ts';
import { makeRun } from '../../../../workflows/pipeline/make-run.ts';
import { memoryBlobs, memoryRecords } from '../fakes.ts';

interface Earlier {
  facts: InstallationFacts;
  request: CompileRequest;
  records: Record<string, unknown>;
  blobs: string[];
}
const earlier: Earlier = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../fixtures/earlier/documents.json'), 'utf8'),
);
const facts = readFacts(earlier.facts);

async function stores() {
  const blobs = memoryBlobs();
  const records = memoryRecords();
  for (const text of earlier.blobs) await blobs.putBytes(new TextEncoder().encode(text));
  for (const [name, value] of Object.entries(earlier.records)) await records.put(name, value);
  return { blobs, records, facts };
}

describe('facts of an earlier server', () => {
  test('every newer setting has its default', () => {
    const {
      users: _users,
      workers: _workers,
      reconcile: _reconcile,
      ...silent
    } = installationSchema.parse({
      projects: [{ name: 'table' }],
      registries: [{ host: '127.0.0.1:5000' }],
      targets: [{ name: 'tablemaster' }],
    });
    const namesIn = (value: unknown, path = ''): string[] =>
      Array.isArray(value)
        ? value.flatMap((one) => namesIn(one, `${path}[]`))
        : typeof value === 'object' && value !== null
          ? Object.entries(value).flatMap(([name, one]) => [
              `${path}.${name}`,
              ...namesIn(one, `${path}.${name}`),
            ])
          : [];
    const known = new Set(namesIn(facts.config));
    expect(namesIn(silent).filter((name) => !known.has(name))).toEqual([]);
    expect(facts.config.includes).toEqual(silent.includes);
    expect(facts.config.limits).toMatchObject({ cleanup_every: 60_000, heartbeat_timeout: 30_000 });
    expect(facts.config.projects).toEqual([
      {
        ...silent.projects[0],
        ...earlier.facts.config.projects[0],
        reconcile: false,
      },
    ]);
  });
  test('a control worker starts with them: includes work, nothing is reconciled', async () => {
    const { blobs, records } = await stores();
    const includes = wireIncludes(facts, {
      secrets: readingSecrets(() => undefined),
      copies: storedCopies(blobs, records),
    });
    const want = { kind: 'ref', repository: { path: 'team/unknown' } } as const;
    expect(await includes.open({ project: 'table', fork: false }).answer([want])).toMatchObject({
      'ref team/unknown ': { refused: { code: 'include/refused' } },
    });
    expect(limitsOf(facts)).toMatchObject({ hostGraceMs: 300_000, maxPendingJobs: 100 });
    expect(facts.config).not.toHaveProperty('reconcile');
  });
  test('unknown facts of a newer server are ignored, and invalid facts are reported', () => {
    const { config } = facts;
    const newer = {
      ...facts,
      more: 1,
      config: { ...config, next: { a: 1 }, limits: { ...config.limits, x: 1 } },
    };
    expect(readFacts(newer).config).toMatchObject({ next: { a: 1 }, limits: { x: 1, host_grace: 300_000 } });
    expect(() => readFacts({ installation: 'x' })).toThrow(/facts in a format/);
  });
});

test('a trigger of an earlier server is compiled, protected and remembered', () => {
  const { trigger } = earlier.request;
  expect(isProtected(projectOf(facts, trigger), trigger)).toBe(true);
  const answer = compile(earlier.request);
  expect(answer.kind === 'plan' && answer.jobs.map(({ job }) => job.key)).toEqual([
    'unit',
    'build:table: [arm32]',
    'build:table: [amd64]',
    'prod',
  ]);
  const memory = { ...emptyMemory(), pushed: undefined };
  rememberHead(memory, trigger, 'table/7');
  expect(pushedHead(memory, trigger)?.sha).toBe(trigger.sha);
  expect(lateness(memory, trigger)).toBe('next');
});

test('a plan and a record of an earlier worker are run again', async () => {
  const deps = await stores();
  const { record: digest, trigger } = await makeFindRecord(deps)({ id: 'table/7' });
  expect(trigger).toEqual(earlier.request.trigger);
  if (!digest || !trigger) throw new Error('no record');
  const { record, compiled } = await makeLoadRecord(deps)({ record: digest });
  if (!compiled) throw new Error('no plan');
  const specs = compiled.plan.jobs.map((job): JobSpec => JSON.parse(deps.blobs.text(job.spec)));
  expect(deepest(specs)).toBe(USUAL_DEPTH);
  const input = { id: 'table/7', iid: 7, number: 1007, trigger } as const;
  const run = makeRun(input, compiled, record, () => undefined);
  const views = () => run.jobs.map(({ status }) => status);
  expect(views().map(({ phase, outcome }) => `${phase} ${outcome}`)).toEqual([
    'ended succeeded',
    'ended failed',
    'ended failed',
    'ended failed',
  ]);
  expect(nextSteps(run.graph, views())).toEqual([]);
  const fresh = makeRun(input, compiled, undefined, () => undefined);
  expect(
    nextSteps(
      fresh.graph,
      fresh.jobs.map(({ status }) => status),
    ).map((step) => `${step.to} ${step.job}`),
  ).toEqual(['start unit']);
});

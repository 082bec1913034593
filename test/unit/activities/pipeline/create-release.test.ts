/** `release`: one per tag, recognised after a lost response, never from a fork. */
import { expect, test } from 'vitest';
import type { ReleaseJobInput } from '../../../../activities/contract.ts';
import { makeCreateRelease } from '../../../../activities/pipeline/create-release.ts';
import type { Forge } from '../../../../src/adapters/ports.ts';
import { DavitError } from '../../../../src/errors.ts';
import type { ReleaseSpec } from '../../../../src/plan/model/spec.ts';
import { asActivity, common, json, memoryBlobs, memoryRecords, steadyRights, testFacts } from '../fakes.ts';

const written: ReleaseSpec = {
  tagName: 'v${VERSION}',
  description: 'notes.md',
  ref: 'a'.repeat(40),
  milestones: [],
  links: [{ name: 'bin ${VERSION}', url: 'https://x.test/${VERSION}' }],
};

/** `loses`: the forge creates it, and its response is lost. */
async function setUp(more: { fork?: boolean; forge?: boolean; loses?: boolean } = {}) {
  const blobs = memoryBlobs();
  const records = memoryRecords();
  const made = new Map<string, ReleaseSpec>();
  let loses = more.loses ?? false;
  let atForge = async (): Promise<void> => undefined;
  const forge: Forge = {
    commitStatus: async () => undefined,
    openRequests: async () => undefined,
    findRelease: async (_project, tag) =>
      more.forge === false ? 'no-forge' : made.has(tag) ? { url: `https://f.test/${tag}` } : 'none',
    makeRelease: async (_project, release) => {
      await atForge();
      if (release.tagName === 'v0') throw new DavitError('forge/refused', 'The forge answered 403.');
      made.set(release.tagName, release);
      if (loses) {
        loses = false;
        throw new DavitError('forge/away', 'The forge did not answer.');
      }
      return { url: `https://f.test/${release.tagName}`, left: ['milestones'] };
    },
  };
  const spec = { ...common, kind: 'script', fork: more.fork ?? false, release: written };
  const create = makeCreateRelease({
    blobs,
    records,
    forge,
    rights: steadyRights,
    facts: testFacts({ projects: [{ name: 'table', protected_tags: ['s*'] }] }),
  });
  const inputOf = async (version: string, of: Partial<ReleaseJobInput> = {}): Promise<ReleaseJobInput> => ({
    kind: 'script',
    project: 'table',
    pipeline: 'table/1',
    job: 'ship',
    spec: await blobs.putBytes(json(spec)),
    dotenv: [{ job: 'version', digest: await blobs.putBytes(json({ VERSION: version })) }],
    ...of,
  });
  const ask = async (version: string, of: Partial<ReleaseJobInput> = {}) =>
    asActivity(create, await inputOf(version, of));
  /** The next release waits at the forge until `open`. */
  const hold = () => {
    const [there, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    atForge = async () => {
      there.resolve();
      await opened.promise;
    };
    return { reached: there.promise, open: opened.resolve };
  };
  return { ask, blobs, made, hold };
}

test('variables of dotenv reports are replaced, and the content of a file is the text', async () => {
  const { ask, blobs, made } = await setUp();
  const notes = await blobs.putBytes(new TextEncoder().encode('# New'));
  expect(await ask('1', { notes })).toEqual({
    kind: 'made',
    tag: 'v1',
    url: 'https://f.test/v1',
    warnings: ['The forge does not support release: milestones; it is ignored.'],
  });
  expect(made.get('v1')).toMatchObject({
    description: '# New',
    links: [{ name: 'bin 1', url: 'https://x.test/1' }],
  });
  await ask('2');
  expect(made.get('v2')?.description).toBe('notes.md');
});

test('an existing release is not changed; a retry of the job that made it finds it', async () => {
  const { ask, made } = await setUp();
  await ask('1');
  expect(await ask('1')).toMatchObject({ kind: 'made', tag: 'v1' });
  expect(await ask('1', { pipeline: 'table/2' })).toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('v1 exists already'),
  });
  expect(made.size).toBe(1);
});

test('after a lost response the next attempt recognises its release', async () => {
  const { ask, made } = await setUp({ loses: true });
  await expect(ask('1')).rejects.toMatchObject({ code: 'forge/away' });
  expect(await ask('1')).toMatchObject({ kind: 'made', tag: 'v1' });
  expect(made.size).toBe(1);
});

test('a refusal of the forge is a result; so are forks, and a missing tag', async () => {
  const { ask } = await setUp();
  expect(await ask('0')).toMatchObject({ kind: 'refused', message: expect.stringContaining('403') });
  const fork = await setUp({ fork: true });
  expect(await fork.ask('1')).toMatchObject({ kind: 'refused', message: expect.stringContaining('fork') });
  expect(fork.made.size).toBe(0);
});

test('of two jobs that find the tag free one creates it, and the other is told', async () => {
  const { ask, made, hold } = await setUp();
  const door = hold();
  const first = ask('1');
  await door.reached;
  expect(await ask('1', { pipeline: 'table/2' })).toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('by another job: table/1 ship'),
  });
  door.open();
  expect(await first).toMatchObject({ kind: 'made', tag: 'v1' });
  // It was removed at the forge: the next pipeline may release the tag again.
  made.clear();
  expect(await ask('1', { pipeline: 'table/2' })).toMatchObject({ kind: 'made', tag: 'v1' });
  expect(await ask('1')).toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('exists already'),
  });
});

test('after a lost response the release belongs to the job that made it, even if another one asks meanwhile', async () => {
  const { ask, made } = await setUp({ loses: true });
  await expect(ask('1')).rejects.toMatchObject({ code: 'forge/away' });
  expect(await ask('1', { pipeline: 'table/2' })).toMatchObject({ kind: 'refused' });
  expect(await ask('1')).toMatchObject({ kind: 'made', tag: 'v1' });
  expect(made.size).toBe(1);
});

test('another job may try what the forge refused', async () => {
  const { ask } = await setUp();
  await ask('0');
  expect(await ask('0', { pipeline: 'table/2' })).toMatchObject({ message: expect.stringContaining('403') });
});

test('without a forge it is in the records, once', async () => {
  const { ask } = await setUp({ forge: false });
  expect(await ask('1')).toEqual({ kind: 'made', tag: 'v1', warnings: [] });
  expect(await ask('1')).toMatchObject({ kind: 'made' });
  expect(await ask('1', { job: 'other' })).toMatchObject({ kind: 'refused' });
});

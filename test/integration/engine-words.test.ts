/** Every text that davit has to recognise, provoked on this machine's engine. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Engine } from '../../src/adapters/ports.ts';
import { HELPER_IMAGE, MAIN_ENGINE, mainEngine, testScope } from '../support/engine.ts';
import {
  EXPECTED,
  expectedOf,
  judged,
  mustDo,
  raw,
  type CaseName,
  type RawCall,
  type RecordedWords,
} from '../support/engine-words.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

const SOCKET = MAIN_ENGINE.slice('unix://'.length);
const FILE = process.env.DAVIT_RECORD_WORDS;
let engine: Engine;
let scope: ReturnType<typeof testScope>;
let open: TestRegistry;
let closed: TestRegistry;
const recorded: RecordedWords = { engine: '', cases: {} };
const tags: string[] = [];

beforeAll(async () => {
  engine = await mainEngine();
  scope = testScope(engine);
  [open, closed] = await Promise.all([startRegistry(), startRegistry({ auth: true })]);
  const { Version } = JSON.parse((await mustDo(SOCKET, { method: 'GET', path: '/version' })).body) as {
    Version: string;
  };
  const info = await mustDo(SOCKET, { method: 'GET', path: '/info' });
  const containerd = info.body.includes('io.containerd.snapshotter.v1');
  recorded.engine = `Docker ${Version}, ${containerd ? 'containerd' : 'classic'} store`;
  for (const host of [open.host, closed.host, '127.0.0.1:1']) {
    const tag = `${host}/words:words`;
    await engine.tagImage(HELPER_IMAGE, tag);
    tags.push(tag);
  }
  await mustDo(SOCKET, push(open.host));
});

afterAll(async () => {
  if (FILE !== undefined) await writeFile(FILE, `${JSON.stringify(recorded, null, 2)}\n`);
  for (const tag of tags) await engine.removeImage(tag);
  await scope.clean();
  await Promise.all([open.stop(), closed.stop(), engine.close()]);
});

const pull = (image: string, more = ''): RawCall => {
  const [name = '', tag = ''] = image.split(/:(?=[^:/]*$)/);
  return { method: 'POST', path: `/images/create?fromImage=${encodeURIComponent(name)}&tag=${tag}${more}` };
};
const push = (host: string): RawCall => ({
  method: 'POST',
  path: `/images/${host}/words/push?tag=words`,
  auth: {},
});
const create = (name: string, image: string, more = '', volume?: string): RawCall => ({
  method: 'POST',
  path: `/containers/create?name=${scope.name(name)}${more}`,
  body: {
    Image: image,
    Labels: scope.labels,
    Cmd: ['true'],
    ...(volume && { HostConfig: { Mounts: [{ Type: 'volume', Source: volume, Target: '/v' }] } }),
  },
});

/** Prepares the situation and returns the call that is judged. */
const CASES: Record<CaseName, () => Promise<RawCall> | RawCall> = {
  'pull a tag that is not in the registry': () => pull(`${open.host}/words:none`),
  'pull without credentials': () => pull(`${closed.host}/words:words`),
  'pull from a registry that is away': () => pull('127.0.0.1:1/words:words'),
  'pull a platform that the image does not have': () =>
    pull(`${open.host}/words:words`, `&platform=${encodeURIComponent('linux/s390x')}`),
  'create from an image that is not there': () => create('missing', 'davit/no-such-image:1'),
  'create of a platform that is not there': () => create('foreign', HELPER_IMAGE, '&platform=linux/s390x'),
  'create under a name that is taken': async () => {
    await mustDo(SOCKET, create('taken', HELPER_IMAGE));
    return create('taken', HELPER_IMAGE);
  },
  'start a container that is not there': () => ({
    method: 'POST',
    path: `/containers/${scope.name('none')}/start`,
  }),
  'remove a volume in use': async () => {
    const volume = scope.name('volume');
    await engine.createVolume(volume, scope.labels);
    await mustDo(SOCKET, create('user', HELPER_IMAGE, '', volume));
    return { method: 'DELETE', path: `/volumes/${volume}` };
  },
  'push without credentials': () => push(closed.host),
  'push to a registry that is away': () => push('127.0.0.1:1'),
  push: () => push(open.host),
};

test.each(Object.keys(EXPECTED) as CaseName[])('%s', async (name) => {
  const words = await raw(SOCKET, await CASES[name]());
  recorded.cases[name] = cleaned(words);
  expect(judged(name, words), words.body).toBe(expectedOf(name, words));
});

/** Without the parts that differ between runs. */
const cleaned = ({ status, body }: { status: number; body: string }): { status: number; body: string } => ({
  status,
  body: body
    .replaceAll(open.host, 'registry.test:5000')
    .replaceAll(closed.host, 'private.test:5000')
    .replaceAll(scope.name(''), 'davit-test-'),
});

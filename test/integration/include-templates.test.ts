/** GitLab's own templates from a real https server: what is asked for, what is kept, what is refused. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { storedCopies } from '../../src/adapters/includes/copies.ts';
import { readingSecrets } from '../../src/adapters/secrets/index.ts';
import { installationSchema } from '../../src/installation.ts';
import { includeKey, type IncludeWant } from '../../src/plan/model/includes.ts';
import { wireIncludes } from '../../src/wiring.ts';
import { httpsFiles, type HttpsFiles } from '../support/https-files.ts';
import { MemoryBlobs, MemoryRecords } from '../support/job-stores.ts';

let folder: string;
let server: HttpsFiles;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-templates-'));
  server = await httpsFiles(folder);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const at = (ref: string, name: string): string => `/raw/${ref}/lib/gitlab/ci/templates/${name}`;
beforeEach(() => {
  server.files.clear();
  server.files.set(at('v18.0.0-ee', 'Jobs/Scan.gitlab-ci.yml'), 'scan: {}');
  server.files.set(at('v18.0.0-ee', 'C%2B%2B.gitlab-ci.yml'), 'cpp: {}');
  server.files.set(at('master', 'Jobs/Scan.gitlab-ci.yml'), 'scan: {new: true}');
  server.asked.length = 0;
});

/** Each `ask` is a pipeline of its own; the copies stay. */
function asking(templates?: object | string, includes: object = {}) {
  const written = { ca_file: server.caFile, ...includes, ...(templates !== undefined && { templates }) };
  // As the server gives it to the control worker.
  const config = installationSchema.parse(
    JSON.parse(JSON.stringify(installationSchema.parse({ includes: written }))),
  );
  const copies = storedCopies(new MemoryBlobs(), new MemoryRecords());
  const port = wireIncludes(
    { config, url: 'http://davit.test' },
    { secrets: readingSecrets(() => undefined), copies },
  );
  return async (name = 'Jobs/Scan.gitlab-ci.yml') => {
    const want: IncludeWant = { kind: 'template', name };
    return (await port.open({ project: 'table', fork: true }).answer([want]))[includeKey(want)];
  };
}
const here = (more: object = {}): object => ({ from: 'gitlab', url: `${server.url}raw`, ...more });
const hash = (text: string): string => `sha256-${createHash('sha256').update(text).digest('base64')}`;

test('a template of a version is fetched once; then no network is needed', async () => {
  const ask = asking(here());
  expect(await ask()).toEqual({ text: 'scan: {}' });
  server.files.clear();
  expect(await ask()).toEqual({ text: 'scan: {}' });
  expect(server.asked.map(({ path }) => path)).toEqual([at('v18.0.0-ee', 'Jobs/Scan.gitlab-ci.yml')]);
});

test('a template of a branch is fetched for every pipeline, and an outage is told', async () => {
  const ask = asking(here({ ref: 'master' }));
  expect([await ask(), await ask()]).toEqual([{ text: 'scan: {new: true}' }, { text: 'scan: {new: true}' }]);
  expect(server.asked.length).toBe(2);
  server.files.set(at('master', 'Jobs/Scan.gitlab-ci.yml'), (response) => response.writeHead(503).end());
  expect(await ask()).toMatchObject({
    refused: {
      code: 'include/unreachable',
      message: expect.stringMatching(/^template Jobs\/Scan.gitlab-ci.yml of GitLab master: .*503/),
      outage: true,
    },
  });
});

test('a hash of the installation file is checked, and a wrong copy is never kept', async () => {
  const name = 'Jobs/Scan.gitlab-ci.yml';
  expect(await asking(here({ integrity: { [name]: hash('scan: {}') } }))()).toEqual({ text: 'scan: {}' });
  const ask = asking(here({ integrity: { [name]: hash('other') } }));
  expect([await ask(), await ask()]).toMatchObject([
    { refused: { code: 'include/integrity' } },
    { refused: { code: 'include/integrity' } },
  ]);
});

test('a name cannot leave the folder, and an unknown one names the version', async () => {
  const ask = asking(here());
  for (const name of [
    '../../x.gitlab-ci.yml',
    'Jobs/../x.gitlab-ci.yml',
    '/x.gitlab-ci.yml',
    'x.yml',
    'a?b.gitlab-ci.yml',
  ])
    expect(await ask(name)).toMatchObject({ refused: { code: 'include/refused' } });
  expect(server.asked).toEqual([]);
  expect(await ask('C++.gitlab-ci.yml')).toEqual({ text: 'cpp: {}' });
  expect(await ask('Jobs/No.gitlab-ci.yml')).toMatchObject({
    refused: { code: 'include/refused', hint: expect.stringContaining('includes.templates.ref') },
  });
});

test('only the host of the templates is asked, whatever `remote` may fetch from', async () => {
  expect(await asking(here(), { only_hosts: ['files.test'] })()).toEqual({ text: 'scan: {}' });
  server.files.set(at('v18.0.0-ee', 'Jobs/Scan.gitlab-ci.yml'), (response) =>
    response.writeHead(302, { location: 'https://elsewhere.test/a.yml' }).end(),
  );
  expect(await asking(here())()).toMatchObject({
    refused: {
      code: 'include/refused',
      message: expect.stringContaining('does not allow files from elsewhere.test'),
    },
  });
});

test('off by default; `gitlab` is a version of gitlab.com', async () => {
  expect(await asking()()).toMatchObject({
    refused: { code: 'include/refused', hint: expect.stringContaining('includes: { templates: gitlab }') },
  });
  expect(server.asked).toEqual([]);
  expect(installationSchema.parse({ includes: { templates: 'gitlab' } }).includes.templates).toEqual({
    from: 'gitlab',
    ref: expect.stringMatching(/^v\d+\.\d+\.\d+-ee$/),
    url: 'https://gitlab.com/gitlab-org/gitlab/-/raw',
    integrity: {},
  });
  for (const wrong of [
    'github',
    here({ url: 'http://gitlab.test' }),
    here({ ref: 'a/../b' }),
    here({ integrity: { x: 'y' } }),
  ])
    expect(installationSchema.safeParse({ includes: { templates: wrong } }).success).toBe(false);
});

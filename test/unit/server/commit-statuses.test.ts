/** Who sees that a forge is not told, and in which words. */
import { afterEach, describe, expect, test } from 'vitest';
import { statusRight } from '../../../src/adapters/forge/index.ts';
import type { ForgeKind } from '../../../src/adapters/forge/project-api.ts';
import { installationSchema } from '../../../src/installation.ts';
import { rightFindings, statusFindings } from '../../../src/local/doctor/commit-statuses.ts';
import type { StatusProblem } from '../../../src/plan/model/commit-status.ts';
import { statusProblemName } from '../../../src/plan/model/records.ts';
import type { CommitStatuses } from '../../../src/server/api.ts';
import { withStatusProblem } from '../../../src/server/routes/commit-statuses.ts';
import { memoryRecords } from '../activities/fakes.ts';
import { bearer, pipeline, testServer, TOKENS, type TestServer } from '../../support/server.ts';
import { StatusForge } from '../../support/status-forge.ts';

const forgeOf = (name: string, more: object = {}) => ({
  name,
  forge: 'gitea',
  forge_url: 'https://forge.test',
  forge_token: 'env:T',
  repository: `acme/${name}`,
  ...more,
});
const problem: StatusProblem = {
  code: 'forge/denied',
  reason: 'The forge at forge.test responded with 403 to a commit status.',
  pipeline: 'table/7',
  since: 60_000,
};

describe('the server', () => {
  let server: TestServer;
  afterEach(() => server.close());

  test('names the contexts of each project with a forge, and why it is not told', async () => {
    const legacy = { status_context: { prefix: 'ci', legacy: 'davit' } };
    server = await testServer({ projects: [forgeOf('table'), forgeOf('old', legacy), { name: 'local' }] });
    await server.stores.records.put(statusProblemName('table'), problem);
    const headers = bearer(TOKENS.reader);
    const answer = await server.app.inject({ method: 'GET', url: '/api/v1/commit-statuses', headers });
    expect(answer.json<CommitStatuses[]>()).toEqual([
      { project: 'table', contexts: ['davit/push', 'davit/tag', 'davit/mr'], problem },
      { project: 'old', contexts: ['ci/push', 'ci/tag', 'ci/mr'], legacy: 'davit' },
    ]);
  });
});

test('the status of a pipeline warns until the forge is told again', async () => {
  const records = memoryRecords();
  const status = pipeline('table/7', { source: 'push' });
  expect((await withStatusProblem({ records }, status)).warnings).toEqual(status.warnings);
  await records.put(statusProblemName('table'), problem);
  expect((await withStatusProblem({ records }, status)).warnings.at(-1)).toBe(
    'The forge is not told about commits of table: The forge at forge.test responded with 403 to a commit status.',
  );
  expect((await withStatusProblem({ records }, { ...status, source: 'cli' })).warnings).toEqual(
    status.warnings,
  );
  await records.put(statusProblemName('table'), null);
  expect((await withStatusProblem({ records }, status)).warnings).toEqual(status.warnings);
});

test('doctor warns of a forge that is not told, and of a legacy name', () => {
  const contexts = ['davit/push', 'davit/tag', 'davit/mr'];
  const [told, not, old] = statusFindings(
    [
      { project: 'a', contexts },
      { project: 'b', contexts, problem },
      { project: 'c', contexts, legacy: 'davit' },
    ],
    360_000,
  );
  expect(told).toEqual({
    name: 'commit statuses of a',
    verdict: 'ok',
    found: 'davit/push, davit/tag, davit/mr',
  });
  expect(not).toMatchObject({ verdict: 'warn', code: 'forge/denied' });
  expect(not?.found).toContain(
    'Not told since table/7, 5 min ago: The forge at forge.test responded with 403',
  );
  expect(old).toMatchObject({ verdict: 'warn', found: expect.stringContaining('all of them also as davit') });
  expect(old?.remedy).toContain('name davit/mr instead of davit');
});

describe("a token's right is asked for with a commit that does not exist", () => {
  let forge: StatusForge | undefined;
  afterEach(() => forge?.stop());

  async function found(kind: ForgeKind, status: number, message = 'refused by the test') {
    await forge?.stop();
    forge = await new StatusForge(kind).start();
    forge.status = status;
    forge.message = message;
    const { projects } = installationSchema.parse({
      projects: [forgeOf('table', { forge: kind, forge_url: forge.url }), { name: 'local' }],
    });
    const [finding, ...others] = await rightFindings(
      projects,
      statusRight({ secrets: { resolve: async () => 'canary-token' } }),
    );
    expect(others).toEqual([]);
    expect(forge.asked).toBe(1);
    expect(JSON.stringify(finding)).not.toContain('canary-token');
    return finding;
  }
  test.each([
    ['gitea', 500, 'object does not exist'],
    ['github', 422, 'No commit found for SHA'],
    ['gitlab', 404, '404 Commit Not Found'],
  ] as const)('%s: %i is an answer about the commit', async (kind, status, message) => {
    expect(await found(kind, status, message)).toMatchObject({ name: 'forge_token of table', verdict: 'ok' });
  });
  test.each([
    ['gitea', 403, 'token does not have at least one of required scope(s): [write:repository]'],
    ['gitea', 404, 'not found'],
    ['github', 401, 'Bad credentials'],
    ['gitlab', 404, '404 Project Not Found'],
  ] as const)('%s: %i is a refusal of token or repository', async (kind, status, message) => {
    const finding = await found(kind, status, message);
    expect(finding).toMatchObject({ verdict: 'warn', code: 'forge/denied' });
    expect(finding?.found).toContain(message);
    expect(finding?.remedy).toContain('write:repository');
  });
  test('a forge that does not answer is said to be away', async () => {
    const { projects } = installationSchema.parse({
      projects: [forgeOf('table', { forge_url: 'http://127.0.0.1:9' })],
    });
    const secrets = { resolve: async () => 't' };
    expect(await rightFindings(projects, statusRight({ secrets }))).toMatchObject([
      { verdict: 'warn', code: 'forge/away' },
    ]);
  });
});

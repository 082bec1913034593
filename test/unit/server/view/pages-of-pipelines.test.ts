/** Pages for browsers: what they show, to whom, and that no text becomes markup. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogRef } from '../../../../src/adapters/ports.ts';
import { DavitError } from '../../../../src/errors.ts';
import type { JobResult } from '../../../../src/plan/model/outcome.ts';
import { jobPage } from '../../../../src/server/view/job-page.ts';
import { projectPage } from '../../../../src/server/view/list-pages.ts';
import { pipelinePage } from '../../../../src/server/view/pipeline-page.ts';
import { summaryOf } from '../../../../src/plan/model/records.ts';
import { runs } from '../../../support/fuzz.ts';
import { bearer, job, pipeline, testServer, TOKENS, type TestServer } from '../../../support/server.ts';

const ref: LogRef = { pipeline: 'open/1', job: 'build: [arm64]', attempt: 2 };
const result: JobResult = {
  outcome: 'succeeded',
  started: true,
  startedAt: 1_000,
  endedAt: 66_000,
  host: 'board-7',
  coverage: 81.5,
  tests: { total: 3, failed: 1, errored: 0, skipped: 0 },
};

let server: TestServer;
beforeEach(async () => {
  server = await testServer({ projects: [{ name: 'open', public: true }, { name: 'closed' }] });
  const digest = await server.stores.blobs.putBytes(Buffer.from('the archive'));
  const artifacts = { digest, bytes: 11, files: 2 };
  const jobs = [
    job('build: [arm64]', {
      stage: 'build',
      phase: 'ended',
      outcome: 'succeeded',
      attempt: 2,
      result: { ...result, artifacts },
    }),
    job('inner', {
      phase: 'ended',
      outcome: 'succeeded',
      result: { ...result, artifacts: { ...artifacts, access: 'operator' } },
    }),
    job('deploy/prod', {
      stage: 'deploy',
      phase: 'gate',
      waitingFor: 'gate',
      gate: { approvers: ['ada'], expiresAt: 0 },
    }),
    job('down', {
      stage: 'deploy',
      kind: 'trigger',
      phase: 'running',
      waitingFor: 'downstream:closed/4',
      downstream: { project: 'closed', pipeline: 'closed/4', state: 'running', created: true, ended: false },
    }),
  ];
  const more = { title: 'Make <b>it</b> work', warnings: ['a "warning" & more'], jobs } as const;
  const upstream = { pipeline: 'closed/3', job: 'start' } as const;
  server.workflows.open.set(
    'open/1',
    pipeline('open/1', { ...more, jobs, warnings: [...more.warnings], project: 'open', upstream }),
  );
  server.workflows.open.set('closed/4', pipeline('closed/4', { project: 'closed', title: 'inside' }));
  await server.stores.logs.open(ref, 1);
  const log = 'plain\n\u001b[31mred <script>\u001b[0m\n';
  await server.stores.logs.append(ref, { epoch: 1, offset: 0, bytes: Buffer.from(log) });
});
afterEach(() => server.close());
const get = (url: string, headers: Record<string, string> = {}) => server.app.inject({ url, headers });
const known = bearer(TOKENS.reader);
const JOB = '/pipelines/open/1/jobs/build%3A%20%5Barm64%5D';

describe('a page', () => {
  test('of a pipeline has its state, commit, warnings, and jobs by stage with time and machine', async () => {
    const { statusCode, body, headers } = await get('/pipelines/open/1', known);
    expect(statusCode).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    for (const text of ['Make &lt;b&gt;it&lt;/b&gt; work', 'aaaaaaaa', 'a &quot;warning&quot; &amp; more'])
      expect(body).toContain(text);
    for (const text of ['1 min 5 s', 'board-7', 'coverage 81.5%', '3 tests: 1 failed', 'attempt 2'])
      expect(body).toContain(text);
    expect(body.indexOf('<h2>build</h2>')).toBeLessThan(body.indexOf('<h2>deploy</h2>'));
    expect(body).toContain(`href="${JOB}"`);
    expect(body).toContain('href="/pipelines/open/1/artifacts?job=build%3A%20%5Barm64%5D"');
    expect(body).toContain('davit approve open/1 deploy/prod (ada, until');
    // Where CI_JOB_URL of earlier versions leads.
    expect(body).toContain('<li id="build: [arm64]">');
    expect(body).toContain('href="/pipelines/closed/4"');
    expect(body).toContain('start of <a href="/pipelines/closed/3">');
    expect(body).toContain('http-equiv="refresh"');
  });
  test('of an ended pipeline does not load itself again', async () => {
    server.workflows.closed.set(
      'open/2',
      pipeline('open/2', { project: 'open', state: 'success', endedAt: 2 }),
    );
    expect((await get('/pipelines/open/2')).body).not.toContain('refresh');
  });
  test('allows no script, no other host and no frame', async () => {
    for (const url of [
      '/',
      '/login',
      '/pipelines/',
      '/pipelines/open',
      '/pipelines/open/1',
      JOB,
      '/pipelines/closed/4',
    ]) {
      const { headers, body } = await get(url, { accept: 'text/html' });
      const policy = String(headers['content-security-policy']);
      expect(policy, url).toMatch(
        /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
      );
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'cache-control': 'no-store',
      });
      expect(body).not.toMatch(/<script|style="| on[a-z]+=|src="/);
      expect(body).toContain('name="viewport"');
    }
  });
  test.each(['build%3A%20%5Barm64%5D', 'build:%20[arm64]'])(
    'of the job %s has its log in colours',
    async (name) => {
      const { body, statusCode } = await get(`/pipelines/open/1/jobs/${name}`);
      expect(statusCode).toBe(200);
      expect(body).toContain('plain\n<span class="f1">red &lt;script&gt;</span>\n</pre>');
      expect(body).toContain(
        '<a href="/pipelines/open/1/log?job=build%3A%20%5Barm64%5D&amp;attempt=2">the whole log as text</a>',
      );
      expect(body).toContain('<a href="/pipelines/open/1/jobs/build%3A%20%5Barm64%5D?attempt=1">1</a>');
    },
  );
  test.each(['deploy/prod', 'deploy%2Fprod'])('of a job with a slash in its name: %s', async (name) => {
    const { body, statusCode } = await get(`/pipelines/open/1/jobs/${name}`);
    expect([statusCode, body.includes('It has no log yet.')]).toEqual([200, true]);
  });
  test('of a job shows the end of a long log, from the beginning of a line', async () => {
    const state = await server.stores.logs.state(ref);
    const line = `${'x'.repeat(999)}\n`;
    await server.stores.logs.append(ref, {
      epoch: 1,
      offset: state?.offset ?? 0,
      bytes: Buffer.from(line.repeat(400)),
    });
    const { body } = await get(JOB);
    expect(body).not.toContain('plain');
    expect(body).toContain('The beginning is not shown (');
    expect(/<pre[^>]*>([^<]*)<\/pre>/.exec(body)?.[1]?.length).toBe(262_000);
  });
  test('of a log is the whole log as text, without a type that could run', async () => {
    const { body, headers } = await get('/pipelines/open/1/log?job=build%3A%20%5Barm64%5D&attempt=2');
    expect(body).toContain('red <script>');
    expect(headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
    expect(headers['content-security-policy']).toContain('sandbox');
  });
  test('of the project is where CI_PROJECT_URL leads', async () => {
    const { headers, statusCode } = await get('/projects/open');
    expect([statusCode, headers.location]).toEqual([302, '/pipelines/open']);
    expect((await get('/pipelines/open')).body).toContain('open #1: Make &lt;b&gt;');
  });
  test('of the root says what this is, to a browser and to a command line', async () => {
    expect((await get('/', { accept: 'text/html,*/*' })).body).toContain('<h1>davit</h1>');
    const plain = await get('/');
    expect([plain.headers['content-type'], plain.body]).toEqual([
      'text/plain; charset=utf-8',
      expect.stringContaining('/pipelines/'),
    ]);
  });
  test('tells a mistake without a stack', async () => {
    const { body, statusCode } = await get('/pipelines/open/77', known);
    expect(statusCode).toBe(404);
    expect(body).toContain('There is no pipeline open/77.');
    const odd = await get('/pipelines/open/x', known);
    expect([odd.statusCode, odd.body.includes('There is no such page.')]).toEqual([404, true]);
    server.workflows.failure = new DavitError('temporal/unreachable', 'Temporal is away.');
    const away = await get('/pipelines/open/1', known);
    expect(away.statusCode).toBe(503);
    // It shows the pipeline as soon as it can.
    expect(away.body).toMatch(/http-equiv="refresh".*Temporal is away\./s);
    server.workflows.failure = undefined;
    server.workflows.describe = async () => {
      throw new Error('the secret inside');
    };
    const failed = await get('/pipelines/open/78', known);
    expect(failed.statusCode).toBe(500);
    expect(failed.body).not.toMatch(/secret inside|at .*\.ts/);
  });
});

describe('without a token', () => {
  test('a project that is not public looks like one that does not exist', async () => {
    const withoutPath = (body: string): string => body.replaceAll(/value="[^"]*"|to=[^"]*"/g, '');
    const seen = new Set<string>();
    for (const id of [
      'closed/4',
      'closed/99',
      'closed',
      'none',
      'none/1',
      'NOT-A-NAME',
      'closed/4/jobs/x',
      'closed/4/log?job=x',
      'closed/4/log',
      'closed/4/artifacts?job=x',
      'closed/x',
    ]) {
      const { statusCode, body } = await get(`/pipelines/${id}`);
      expect(statusCode, id).toBe(401);
      expect(body).not.toContain('inside');
      seen.add(withoutPath(body));
    }
    expect(seen.size).toBe(1);
  });
  test('a public project is shown, without what is of other projects', async () => {
    const { body, statusCode } = await get('/pipelines/open/1');
    expect(statusCode).toBe(200);
    expect(body).toContain('board-7');
    expect(body).not.toContain('closed');
    expect((await get('/pipelines/open/1/jobs/down')).body).not.toContain('closed');
    expect((await get('/pipelines/open')).body).not.toContain('closed');
    const all = await get('/pipelines/');
    expect(all.body).toContain('href="/pipelines/open"');
    expect(all.body).not.toMatch(/closed|inside/);
  });
  test('artifacts of a public project are given, those for some people are not', async () => {
    const given = await get('/pipelines/open/1/artifacts?job=build%3A%20%5Barm64%5D');
    expect([given.statusCode, given.body]).toEqual([200, 'the archive']);
    expect((await get('/pipelines/open/1/artifacts?job=inner')).statusCode).toBe(401);
    expect((await get('/pipelines/open/1/artifacts?job=inner', known)).statusCode).toBe(403);
    expect((await get('/pipelines/open/1/artifacts?job=inner', bearer(TOKENS.operator))).statusCode).toBe(
      200,
    );
  });
  test('the API stays closed', async () => {
    expect((await get('/api/v1/pipelines/open/1')).statusCode).toBe(401);
    expect((await get('/api/v1/pipelines/open/1/log?job=down')).statusCode).toBe(401);
  });
  test('a token of a worker opens nothing', async () => {
    expect((await get('/pipelines/closed/4', bearer(TOKENS.worker))).statusCode).toBe(401);
  });
});

/** Names of the tags and attributes: equal, whatever the texts are. */
const skeleton = (text: string): string[] =>
  (text.match(/<[^>]*>/g) ?? []).map((tag) => tag.replaceAll(/"[^"]*"/g, '""'));
const hostile = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        '<',
        '>',
        '"',
        "'",
        '&',
        '</pre>',
        '<script>',
        '<!--',
        ']]>',
        'javascript:',
        '\u0000',
        '\ud800',
        '=',
        '/',
        ' onload=',
        '`',
        '\u202e',
        '&lt;',
        '\u001b[31m',
        '\u001b]0;',
        'x',
      ),
      { maxLength: 30 },
    )
    .map((parts) => parts.join('')),
);

describe('no text is markup', () => {
  const visitor = { name: 'x', sees: () => true };
  const now = 1_000_000;
  const statusWith = (text: string) => {
    const one = job(`k${text}`, {
      stage: `s${text}`,
      phase: 'ended',
      outcome: 'failed',
      result: {
        ...result,
        outcome: 'failed',
        message: `m${text}`,
        host: `h${text}`,
        warnings: [`w${text}`],
        artifacts: { digest: `sha256:${'0'.repeat(64)}`, bytes: 1, files: 1, exposeAs: `e${text}` },
      },
      decisions: [
        {
          action: 'play',
          job: 'k',
          actor: `a${text}`,
          role: 'operator',
          comment: `c${text}`,
          answer: `y${text}`,
        },
      ],
    });
    const waits = job(`q${text}`, {
      stage: `s${text}`,
      phase: 'dispatched',
      waitingFor: `queue:tag-q${text}`,
    });
    return pipeline('table/1', {
      title: `t${text}`,
      ref: `r${text}`,
      source: `s${text}`,
      reason: `r${text}`,
      warnings: [`w${text}`],
      cancelledBy: { actor: `a${text}`, role: 'reader', at: 1 },
      upstream: { pipeline: 'table/2', job: `j${text}` },
      waitingFor: [`w${text}`],
      jobs: [one, waits],
    });
  };
  const pagesWith = (text: string): string[] => {
    const status = statusWith(text);
    const [first] = status.jobs;
    if (!first) throw new Error('no job');
    const view = { status, visitor: { ...visitor, name: `n${text}` }, now };
    return [
      pipelinePage(view),
      jobPage({ ...view, job: first, attempt: 1, log: undefined }),
      projectPage({ ...view, pipelines: [summaryOf(status)] }, 'table'),
    ];
  };
  test('of names, commits, branches, messages', () => {
    const wanted = pagesWith('x').map(skeleton);
    fc.assert(
      fc.property(hostile, (text) => {
        expect(pagesWith(text).map(skeleton)).toEqual(wanted);
      }),
      { numRuns: runs(500) },
    );
  });
  test('of logs: only spans with known classes', () => {
    const status = statusWith('x');
    const [first] = status.jobs;
    if (!first) throw new Error('no job');
    const logged = (text: string): string => {
      const page = jobPage({
        status,
        visitor,
        now,
        job: first,
        attempt: 1,
        log: { text, before: 0, complete: true },
      });
      return /<pre class="log" id="log">(.*)<\/pre>\n?<\/main>/s.exec(page)?.[1] ?? 'no log';
    };
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 8 }), (texts) => {
        const tags = logged(texts.join('\n')).match(/<[^>]*>/g) ?? [];
        for (const tag of tags)
          expect(tag).toMatch(
            /^<span class="(own|([fb]([0-9]|1[0-5])|bold|dim|italic|underline)( |(?=")))+">$|^<\/span>$/,
          );
        expect(logged(texts.join('\n')).replaceAll(/<[^>]*>/g, '')).not.toMatch(
          /[<>"']|[\u0000-\u0008\u001b]/,
        );
      }),
      { numRuns: runs(500) },
    );
  });
  test('a site of a job is linked only where a browser may go', () => {
    const status = (url: string) =>
      pipeline('table/1', {
        jobs: [
          job('k', {
            phase: 'ended',
            outcome: 'succeeded',
            result: { outcome: 'succeeded', started: true, pages: { url } },
          }),
        ],
      });
    expect(pipelinePage({ status: status('javascript:alert(1)'), visitor, now })).not.toContain(
      'href="javascript',
    );
    expect(pipelinePage({ status: status('https://x.test/'), visitor, now })).toContain(
      'href="https://x.test/"',
    );
  });
});

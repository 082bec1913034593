import { describe, expect, test } from 'vitest';
import { parseDotenv } from '../../../../activities/job/finish/dotenv-report.ts';
import { selectFiles } from '../../../../activities/job/files/artifact-globs.ts';
import {
  attemptLabels,
  attemptName,
  attemptOf,
  readLabels,
} from '../../../../activities/runtime/container-names.ts';
import { containerLabels } from '../../../../src/plan/model/labels.ts';
import { resolveVariables } from '../../../../activities/job/start/variables.ts';
import { EXIT_RESERVED } from '../../../../activities/job/start/supervisor-script.ts';
import { parseExitNote, verdictOf, verdictOfError } from '../../../../activities/job/container/verdict.ts';
import type { ContainerState } from '../../../../src/adapters/ports.ts';
import { DavitError } from '../../../../src/errors.ts';
import type { ScriptSpec, SpecVariable } from '../../../../src/plan/model/spec.ts';
import { exitProgram } from '../../../../workers/parts/arch-check.ts';
import { identityText, isElsewhere, isFormerSelf } from '../../../../workers/parts/identity.ts';
import type { JobBench } from '../../../support/job-bench.ts';
import { MemoryBlobs, memorySecrets, noRegistries } from '../../../support/job-stores.ts';

const ended = (more: Partial<ContainerState>): ContainerState => ({
  id: 'c',
  name: 'c',
  status: 'exited',
  exitCode: 0,
  oomKilled: false,
  error: '',
  startedAt: 1_000,
  finishedAt: 2_000,
  image: 'i',
  labels: {},
  createdAt: 900,
  addresses: {},
  ...more,
});
const limits = { timeoutMs: 60_000, timedOut: false };

describe('the end of a container', () => {
  test.each([
    ['the script succeeded', ended({}), '0 ', 'succeeded', undefined],
    ['the script failed', ended({ exitCode: 3 }), '3 ', 'failed', 'script'],
    ['the script itself ended with 137', ended({ exitCode: 137 }), '137 ', 'failed', 'script'],
    ['out of memory', ended({ exitCode: 137, oomKilled: true }), '137 ', 'failed', 'out_of_memory'],
    [
      'out of memory, the supervisor too',
      ended({ exitCode: 137, oomKilled: true }),
      '',
      'failed',
      'out_of_memory',
    ],
    [
      'out of memory inside of a wrapper',
      ended({ exitCode: 2, oomKilled: true }),
      '2 ',
      'failed',
      'out_of_memory',
    ],
    [
      'a process ran out of memory, the script did not mind',
      ended({ oomKilled: true }),
      '0 ',
      'succeeded',
      undefined,
    ],
    ['stopped by a person', ended({ exitCode: 143 }), '143 stopped', 'errored', 'engine'],
    ['killed with its engine', ended({ exitCode: 137 }), '', 'errored', 'engine'],
    [
      'over its time, seen by a later follower',
      ended({ exitCode: 137, finishedAt: 61_001 }),
      '',
      'failed',
      'timeout',
    ],
    [
      'over its time, but the script had ended',
      ended({ exitCode: 0, finishedAt: 61_001 }),
      '0 ',
      'succeeded',
      undefined,
    ],
    ['an entrypoint that never ran the script', ended({ exitCode: 0 }), '', 'failed', 'config'],
    ['a script that fails on a full disk', ended({ exitCode: 2 }), '2  full\n', 'errored', 'no_space'],
    ['a script that succeeds on a full disk', ended({ exitCode: 1 }), '0  full\n', 'succeeded', undefined],
    ['a place for an exit code and none in it', ended({ exitCode: 137 }), EXIT_RESERVED, 'errored', 'engine'],
  ])('%s', (_, state, note, outcome, kind) => {
    expect(verdictOf(state, parseExitNote(note), limits)).toMatchObject({ outcome, ...(kind && { kind }) });
  });

  test('a script that failed after the kernel had killed one of its processes', () => {
    const note = { code: 3, stopped: false, memoryKills: 2 };
    expect(verdictOf(ended({ exitCode: 3 }), note, limits)).toEqual({
      outcome: 'failed',
      kind: 'out_of_memory',
      exitCode: 3,
      message: 'exit code 3, probably out of memory: the kernel has killed 2 of its processes for it.',
    });
  });

  test('a coded error keeps its code, an unknown error is a defect', () => {
    expect(verdictOfError(new DavitError('registry/name', 'No name.'))).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringContaining('No name. [registry/name] ') as string,
    });
    expect(verdictOfError(new DavitError('engine/no-space', 'Full.'))).toMatchObject({
      outcome: 'errored',
      kind: 'no_space',
      message: expect.stringContaining('Full. [engine/no-space] Free space') as string,
    });
    const start =
      'Cannot start container davit-1: unable to find user ada: no matching entries in passwd file';
    expect(verdictOfError(new DavitError('engine/failed', start))).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringContaining('no user or group "ada"') as string,
    });
    const service = 'The service db cannot be started: exec: "nope": executable file not found in $PATH';
    expect(verdictOfError(new DavitError('job/service', service))).toMatchObject({
      outcome: 'failed',
      kind: 'config',
      message: expect.stringMatching(/^The service db cannot be started/) as string,
    });
    expect(verdictOfError(new TypeError('x'))).toMatchObject({ outcome: 'errored', kind: 'internal' });
  });
});

describe('artifacts:paths', () => {
  const chosen = (paths: string[], path: string, exclude: string[] = []): boolean =>
    selectFiles('/builds/p', paths, exclude).chosenBy(path, false).length > 0;
  test.each<[string[], string, boolean]>([
    [['dist'], 'dist/deep/a.js', true],
    [['dist/'], 'dist/a', true],
    [['./dist'], 'dist/a', true],
    [['/builds/p/dist'], 'dist/a', true],
    [['*.log'], 'a.log', true],
    [['*.log'], 'deep/a.log', false],
    [['**/*.log'], 'deep/deeper/a.log', true],
    [['**/*.log'], 'a.log', true],
    [['*'], '.hidden', true],
    [['a/*/c'], 'a/b/c/d', true],
    [['{x,y}.txt'], 'y.txt', true],
    [['distx'], 'dist/a', false],
    [['[a-c].txt'], 'b.txt', true],
    [['Dist'], 'dist/a', false],
    [['.'], 'anything', true],
  ])('%j and %s: %s', (paths, path, expected) => {
    expect(chosen(paths, path)).toBe(expected);
  });
  test('exclude removes files', () => {
    expect(chosen(['dist'], 'dist/a.tmp', ['dist/**/*.tmp'])).toBe(false);
    expect(chosen(['dist'], 'dist/a.js', ['dist/**/*.tmp'])).toBe(true);
    expect(chosen(['dist'], 'dist/sub/a.js', ['dist/sub'])).toBe(true);
  });
  test('a path that leaves the project is refused, and only the needed folders are read', () => {
    const selection = selectFiles('/builds/p', ['../x', '/etc/passwd', 'a/b/*.c', 'a/b/d', 'a', 'z'], []);
    expect(selection.refused).toEqual(['../x', '/etc/passwd']);
    expect(selection.bases).toEqual(['a', 'z']);
  });
});

test('a dotenv report', () => {
  expect(parseDotenv('A=1\n\n# note\nexport B="x y"\r\nC=a=b\nD=\n', 'f')).toEqual({
    A: '1',
    B: '"x y"',
    C: 'a=b',
    D: '',
  });
  expect(() => parseDotenv('A=1\nnot valid\n', 'v.env')).toThrow('v.env:2');
  expect(() => parseDotenv('bad-name=1', 'v.env')).toThrow(DavitError);
});

describe('names', () => {
  const run = { workflowId: 'pipeline/demo/1', runId: 'r1' };
  const ref = { pipeline: 'demo/1', job: 'Build: [arm64] ü', jobId: 1, attempt: 2, epoch: 1 } as const;
  const installation = '01234567-89ab-cdef-0123-456789abcdef';
  test('are valid for an engine, and unique per run, job and attempt', () => {
    const name = attemptName(installation, run, ref);
    expect(name).toMatch(/^davit-01234567-[0-9a-f]{12}-build-arm64-2$/);
    const others = [
      attemptName(installation, { ...run, runId: 'r2' }, ref),
      attemptName(installation, run, { ...ref, job: 'build: [arm64] u' }),
      attemptName(installation, run, { ...ref, attempt: 3 }),
    ];
    expect(new Set([name, ...others]).size).toBe(4);
    expect(attemptName(installation, run, { job: '日本', attempt: 1 })).toMatch(/-job-1$/);
  });
  test('labels are read back unchanged', () => {
    expect(readLabels(attemptLabels(installation, run, ref))).toEqual({
      ...run,
      installation,
      job: ref.job,
      attempt: 2,
    });
    expect(readLabels({ 'davit.installation': installation })).toBeUndefined();
    expect(readLabels(containerLabels({}))).toBeUndefined();
  });
  test('labels mean an attempt only with a name that davit gives', () => {
    const labels = attemptLabels(installation, run, ref);
    const name = attemptName(installation, run, ref);
    for (const own of [name, `${name}-svc-0`]) expect(attemptOf({ name: own, labels })).toMatchObject(run);
    for (const other of ['stranger', `x${name}`, `${name}0`, ''])
      expect(attemptOf({ name: other, labels })).toBeUndefined();
  });
});

describe('the identity of a worker', () => {
  const self = { hostId: 'h', arches: ['arm64', 'arm32'] };
  const other = (change: (parts: string[]) => void): string => {
    const parts = identityText(self).split('/');
    change(parts);
    return parts.join('/');
  };
  test('is a previous process of it, and not a live or another worker', () => {
    expect(
      isFormerSelf(
        self,
        other(() => undefined),
      ),
    ).toBe(true);
    expect(isFormerSelf({ ...self, arches: ['arm32', 'arm64'] }, identityText(self))).toBe(true);
    expect(
      isFormerSelf(
        self,
        other((parts) => void (parts[4] = '999999999')),
      ),
    ).toBe(true);
    expect(
      isFormerSelf(
        self,
        other((parts) => void (parts[4] = String(process.ppid))),
      ),
    ).toBe(false);
    expect(
      isFormerSelf(
        self,
        other((parts) => void (parts[2] = 'amd64')),
      ),
    ).toBe(false);
    expect(
      isFormerSelf(
        self,
        other((parts) => void (parts[1] = 'another-host')),
      ),
    ).toBe(false);
    expect(isFormerSelf(self, 'some/other/worker')).toBe(false);
  });
  test('of another machine: its name does not tell whether it is alive', () => {
    const elsewhere = other((parts) => void (parts[3] = 'another-machine'));
    expect(isFormerSelf(self, elsewhere)).toBe(false);
    expect(isElsewhere(self, elsewhere)).toBe(true);
    expect(isElsewhere(self, identityText(self))).toBe(false);
    expect(isElsewhere({ ...self, hostId: 'x' }, elsewhere)).toBe(false);
  });
});

test('the smallest programs are ELF files of their architectures', () => {
  expect(exitProgram('amd64').readUInt16LE(18)).toBe(62);
  expect(exitProgram('arm64').readUInt16LE(18)).toBe(183);
  expect(exitProgram('arm32').readUInt16LE(18)).toBe(40);
  expect(exitProgram('arm32').subarray(0, 5)).toEqual(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1]));
});

describe('variables', () => {
  const worker = { hostName: 'board', hostId: 'h', tags: ['arm32'], platform: 'linux/arm/v6', version: '1' };
  const resolve = async (
    variables: SpecVariable[],
    more: Partial<ScriptSpec> = {},
    { dotenv = {}, token, ca }: { dotenv?: Record<string, string>; token?: string; ca?: string } = {},
  ) => {
    const blobs = new MemoryBlobs();
    const digest = await blobs.putBytes(new TextEncoder().encode(JSON.stringify(dotenv)));
    const spec = { variables, projectDir: '/builds/p', fork: false, ...more } as ScriptSpec;
    const input = {
      ref: { pipeline: 'p/1', job: 'j', jobId: 7, attempt: 1, epoch: 1 },
      dotenv: [{ job: 'a', digest }],
      dispatchedAt: 0,
      playedBy: 'ada',
    } as unknown as Awaited<ReturnType<JobBench['input']>>; // the source of the variables
    const secrets = memorySecrets({ 'env:S': 'secret-value', 'env:SHORT': 'abc' });
    return resolveVariables(spec, input, {
      secrets,
      registries: noRegistries(),
      credentials: { forJob: async () => token },
      blobs,
      worker,
      authority: { pem: async () => ca, server: 'https://ci.lan:8420/davit' },
    });
  };
  const own = (name: string, literal: string, more: Partial<SpecVariable> = {}): SpecVariable => ({
    name,
    value: { literal },
    masked: false,
    file: false,
    ...more,
  });
  const secret = (name: string, ref: 'env:S' | 'env:SHORT' | 'env:NONE'): SpecVariable => ({
    name,
    value: { secret: ref },
    masked: true,
    file: false,
  });

  test("GitLab's order: file, dotenv, project, pipeline", async () => {
    const { values } = await resolve(
      [
        own('A', 'file', { from: 'file' }),
        own('B', 'project', { from: 'project' }),
        own('C', 'run', { from: 'pipeline' }),
      ],
      {},
      { dotenv: { A: 'dotenv', B: 'dotenv', C: 'dotenv', D: 'dotenv', CI_JOB_ID: 'dotenv' } },
    );
    expect(Object.fromEntries(values)).toMatchObject({ A: 'dotenv', B: 'project', C: 'run', D: 'dotenv' });
  });

  test('values that only the worker knows', async () => {
    const { values, masked } = await resolve([
      own('LATE', '${CI_RUNNER_DESCRIPTION}-${CI_JOB_ID}-$$-${NOTHING}', { late: true }),
    ]);
    expect(Object.fromEntries(values)).toMatchObject({
      LATE: 'board-7-$-',
      CI_RUNNER_EXECUTABLE_ARCH: 'linux/arm/v6',
      CI_REGISTRY_USER: 'ci',
      CI_JOB_STARTED_AT: '1970-01-01T00:00:00Z',
      GITLAB_USER_LOGIN: 'ada',
      CI_JOB_MANUAL: 'true',
    });
    expect(masked).toEqual(['registry-password']);
    // A server before this version has none.
    expect(values.has('CI_JOB_TOKEN')).toBe(false);
  });

  test('the token of the job is a variable, and masked', async () => {
    const { values, masked } = await resolve([], {}, { token: 'davit-job_x.y' });
    expect(values.get('CI_JOB_TOKEN')).toBe('davit-job_x.y');
    expect(masked).toContain('davit-job_x.y');
  });

  test("the server's authority is a file, which git uses for the server alone; the file of a pipeline may say otherwise", async () => {
    expect((await resolve([])).values.has('CI_SERVER_TLS_CA_FILE')).toBe(false);
    const { values, variables } = await resolve([], {}, { ca: 'PEM' });
    expect(Object.fromEntries(values)).toMatchObject({
      CI_SERVER_TLS_CA_FILE: '/builds/p.tmp/CI_SERVER_TLS_CA_FILE',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.https://ci.lan:8420/.sslCAInfo',
      GIT_CONFIG_VALUE_0: '/builds/p.tmp/CI_SERVER_TLS_CA_FILE',
    });
    expect(variables).toContainEqual({ name: 'CI_SERVER_TLS_CA_FILE', value: 'PEM', file: true });
    const others = await resolve([own('GIT_CONFIG_COUNT', '0')], {}, { ca: 'PEM' });
    expect(others.values.get('GIT_CONFIG_COUNT')).toBe('0');
  });

  test('a fork gets no secret and no credentials, and the log reports that', async () => {
    const { values, warnings, masked } = await resolve([secret('S', 'env:S')], { fork: true });
    expect(values.has('S')).toBe(false);
    expect(values.has('CI_REGISTRY_PASSWORD')).toBe(false);
    expect(warnings.join()).toContain('S is a secret');
    expect(masked).toEqual([]);
  });

  test('a secret is masked; one that is too short is reported; a missing one is named', async () => {
    const { masked, warnings } = await resolve([secret('S', 'env:S'), secret('T', 'env:SHORT')]);
    expect(masked).toContain('secret-value');
    expect(warnings).toEqual(['T is too short to be masked.']);
    await expect(resolve([secret('N', 'env:NONE')])).rejects.toMatchObject({ code: 'secret/missing' });
  });

  test('a value that contains a masked value is masked too', async () => {
    const { masked } = await resolve([
      secret('S', 'env:S'),
      own('URL', 'https://u:${S}@host', { late: true, masked: true }),
    ]);
    expect(masked).toContain('https://u:secret-value@host');
  });
});

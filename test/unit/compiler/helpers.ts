import { compile } from '../../../src/compiler/compile.ts';
import { loadIncludes } from '../../../src/compiler/includes.ts';
import type { CompileResult, CompiledJob, CompileRequest } from '../../../src/compiler/request.ts';
import type { Trigger } from '../../../src/plan/model/trigger.ts';

const SHA = '0123456789abcdef0123456789abcdef01234567';

export type Overrides = Partial<Omit<CompileRequest, 'trigger' | 'project'>> & {
  trigger?: Partial<Trigger>;
  project?: Partial<CompileRequest['project']>;
};

/** A push to main of the project `table`, on an installation with one deploy target and no worker yet. */
export function request(text: string, more: Overrides = {}): CompileRequest {
  const { trigger, project, ...rest } = more;
  return {
    file: { name: '.gitlab-ci.yml', text },
    trigger: {
      project: 'table',
      source: 'push',
      key: 'push:main',
      deliveryId: 'd1',
      ref: 'main',
      refKind: 'branch',
      sha: SHA,
      before: '0'.repeat(40),
      title: 'Serve tables',
      actor: 'ada',
      fork: false,
      receivedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
      ...trigger,
    },
    iid: 7,
    number: 1007,
    project: { slug: 'table', defaultBranch: 'main', protectedRef: true, variables: [], ...project },
    instanceVariables: [],
    registry: '127.0.0.1:5000',
    helperImage: 'davit/helper:1',
    defaultArch: 'amd64',
    fleet: [],
    targets: ['tablemaster'],
    serverUrl: 'http://127.0.0.1:8080',
    limits: { jobTimeoutMs: 3_600_000, gateExpiryMs: 604_800_000 },
    source: `sha256:${'a'.repeat(64)}`,
    commit: {
      author: 'Ada <ada@example.com>',
      timestamp: '2026-01-02T03:04:05Z',
      message: 'Serve tables\n\nAll of them.',
    },
    ...rest,
  };
}

export type Files = Record<string, string>;

/** Compiles the text with these files to include. */
export async function compileWith(text: string, files: Files, more: Overrides = {}): Promise<CompileResult> {
  const asked = request(text, more);
  const loaded = await loadIncludes(asked, {
    read: (names) => Promise.resolve(Object.fromEntries(names.map((name) => [name, files[name] ?? null]))),
    list: () => Promise.resolve(Object.keys(files)),
    changed: () => Promise.resolve(undefined),
    elsewhere: () => Promise.resolve({}),
  });
  return compile({ ...asked, ...loaded });
}

export const run = (text: string, more: Overrides = {}): CompileResult => compile(request(text, more));

/** The plan's jobs by key; throws with the problems if there is no plan. */
export function jobs(text: string, more: Overrides = {}): Record<string, CompiledJob> {
  const answer = run(text, more);
  if (answer.kind !== 'plan') throw new Error(JSON.stringify(answer, null, 1));
  return Object.fromEntries(answer.jobs.map((one) => [one.job.key, one]));
}

/** A merge request from `feature` to `main`. */
export const MERGE = {
  trigger: {
    ref: 'feature',
    refKind: 'merge_request',
    source: 'merge_request',
    mergeRequest: {
      iid: 3,
      sourceBranch: 'feature',
      targetBranch: 'main',
      sourceSha: 'a'.repeat(40),
      title: 'F',
    },
  },
} as const satisfies Overrides;

/** Names of the jobs that run, in file order; throws if the file is not valid. */
export function keysOf(text: string, more: Overrides = {}): string[] {
  const answer = run(text, more);
  if (answer.kind === 'invalid') throw new Error(JSON.stringify(answer.problems));
  return answer.kind === 'plan' ? answer.jobs.map((one) => one.job.key) : [];
}

/** `code line:column message` of each problem, warnings left out. */
export function mistakes(text: string, more: Overrides = {}): string[] {
  const answer = run(text, more);
  if (answer.kind !== 'invalid') return [];
  return answer.problems
    .filter((problem) => problem.severity === 'error')
    .map(
      (problem) =>
        `${problem.code} ${problem.place?.line ?? 0}:${problem.place?.column ?? 0} ${problem.message}`,
    );
}

/** A job of a plan; throws when it does not exist. */
export function job(text: string, key: string, more: Overrides = {}): CompiledJob {
  const found = jobs(text, more)[key];
  if (!found) throw new Error(`no job ${key} in ${Object.keys(jobs(text, more)).join(', ')}`);
  return found;
}

/** Value of a variable in a spec; undefined when it is not set. */
export function variable(compiled: CompiledJob, name: string): string | undefined {
  const found = compiled.spec.variables.find((one) => one.name === name);
  return found && 'literal' in found.value ? found.value.literal : undefined;
}

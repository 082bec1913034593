/**
 * A repository with branches and tags, and the control worker's compile activity over it: stores in memory,
 * real git.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CompileOutput } from '../../activities/contract.ts';
import type { Rights } from '../../src/adapters/ports.ts';
import type { JobSpec } from '../../src/plan/model/spec.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';
import { testCompiler } from '../support/compiler.ts';
import { asActivity, testFacts } from '../unit/activities/fakes.ts';

const run = promisify(execFile);
export type Planned = Extract<CompileOutput, { kind: 'plan' }>;

export interface Repository {
  url: string;
  /** By branch. */
  heads: Record<string, string>;
  git(...args: string[]): Promise<string>;
  /** A commit on a new branch, from main; returns its hash. */
  branch(name: string, file?: string): Promise<string>;
  remove(): Promise<void>;
}

export async function makeRepository(file: string): Promise<Repository> {
  const folder = await mkdtemp(join(tmpdir(), 'davit-security-'));
  const git = async (...args: string[]): Promise<string> => {
    const author = ['-c', 'user.name=Ada', '-c', 'user.email=a@example.test'];
    return (await run('git', [...author, '-C', folder, ...args])).stdout.trim();
  };
  const commit = async (text: string, message: string): Promise<string> => {
    await writeFile(join(folder, '.gitlab-ci.yml'), text);
    await git('add', '.');
    await git('commit', '--quiet', '--allow-empty', '-m', message);
    return git('rev-parse', 'HEAD');
  };
  await git('init', '--quiet', '--initial-branch=main');
  // Like forges: a commit can be requested by its hash, whatever ref contains it.
  await git('config', 'uploadpack.allowAnySHA1InWant', 'true');
  await git('config', 'uploadpack.allowFilter', 'true');
  const heads: Record<string, string> = { first: await commit(file, 'First') };
  heads.main = await commit(file, 'Second');
  return {
    url: `file://${folder}`,
    heads,
    git,
    async branch(name, text = file) {
      await git('checkout', '--quiet', '-b', name, 'main');
      const sha = await commit(text, name);
      await git('checkout', '--quiet', 'main');
      heads[name] = sha;
      return sha;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

export const pushOf = (repository: Repository, more: Partial<Trigger> = {}): Trigger => ({
  project: 'table',
  source: 'push',
  key: 'k',
  deliveryId: 'd',
  ref: 'main',
  refKind: 'branch',
  sha: repository.heads.main ?? '',
  before: '0'.repeat(40),
  title: 'Second',
  actor: 'ada',
  fork: false,
  receivedAt: 1_700_000_000_000,
  ...more,
});

/** As the API route creates it. */
export const requestOf = (
  repository: Repository,
  role: 'developer' | 'operator',
  more: Partial<Trigger> = {},
): Trigger =>
  pushOf(repository, { source: 'api', key: 'request:12345678', actor: `the ${role}`, role, ...more });

export function control(
  repository: Repository,
  project: object = {},
  config: object = {},
  rights: Partial<Rights> = {},
) {
  const facts = testFacts({
    projects: [{ name: 'table', clone_url: repository.url, ...project }],
    registries: [{ host: '127.0.0.1:5000', default: true }],
    ...config,
  });
  const { compile, blobs, records } = testCompiler(facts, {
    rights,
    includes: { open: () => ({ answer: async () => ({}) }) },
  });
  const ask = (trigger: Trigger): Promise<CompileOutput> =>
    asActivity(compile, { id: 'table/1', iid: 1, number: 12, trigger });
  const plan = async (trigger: Trigger): Promise<Planned> => {
    const answer = await ask(trigger);
    if (answer.kind !== 'plan') throw new Error(JSON.stringify(answer));
    return answer;
  };
  const spec = (planned: Planned, key: string): JobSpec =>
    JSON.parse(blobs.text(planned.plan.jobs.find((one) => one.key === key)?.spec ?? ''));
  return { ask, plan, spec, blobs, records, facts };
}

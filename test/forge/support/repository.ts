/** A repository at Gitea with its webhook to davit, and working copies of it. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../../support/davit.ts';
import { deliveriesOf, lastDelivery, urlOf, type Account, type Delivered } from './gitea.ts';
import { davit, giteaApi, ORGANISATION, PEOPLE, STORY_MS, WEBHOOK_SECRET, world } from './world.ts';

const run = promisify(execFile);

/** The boxes "Push", "Delete", "Pull Request" and "Pull Request Synchronized". */
export const EVENTS = ['push', 'delete', 'pull_request_only', 'pull_request_sync'];

export interface CommitStatus {
  context: string;
  status: string;
  description: string;
  target_url: string;
}
export interface PullRequest {
  number: number;
  merged: boolean;
  head: { sha: string; ref: string };
}
export interface RepositoryOptions {
  /** Files of the first commit, which starts nothing; none: the repository is empty. */
  files?: Files;
  branch?: string;
  events?: string[];
  /** Its name at Gitea, if it is not that of the project. */
  name?: string;
}
/** Content by path. */
export type Files = Record<string, string | Uint8Array>;

/** One job that runs in the helper image. */
export const job = (
  script: readonly string[],
  more: Record<string, unknown> = {},
): Record<string, unknown> => ({
  image: '$DAVIT_HELPER_IMAGE',
  script,
  ...more,
});
/** For a job of every pipeline: those without rules are not for merge requests. */
export const ALWAYS = { rules: [{ when: 'always' }] };
/** A pipeline file; JSON is YAML. */
export const pipeline = (content: Record<string, unknown>): Files => ({
  '.gitlab-ci.yml': JSON.stringify(content, undefined, 2),
});
export const ONE_JOB = pipeline({ unit: job(['echo "ref $CI_COMMIT_REF_NAME"']) });

export class Repository {
  readonly #hook: number;
  /** At Gitea: `acme/NAME`. */
  path: string;

  private constructor(path: string, hook: number) {
    this.path = path;
    this.#hook = hook;
  }

  /** `project`: its name in davit and, unless told otherwise, at Gitea. */
  static async make(project: string, options: RepositoryOptions = {}): Promise<Repository> {
    const { files, branch = 'main', events = EVENTS, name = project } = options;
    const { gitea } = world();
    const path = `${ORGANISATION}/${name}`;
    const fresh = { name, private: true, default_branch: branch };
    await giteaApi(gitea, ['POST', `orgs/${ORGANISATION}/repos`, fresh]);
    const config = {
      url: `${davit().run().server}/webhooks/gitea`,
      content_type: 'json',
      secret: WEBHOOK_SECRET,
    };
    const hook = { type: 'gitea', active: true, events, config };
    const { id } = await giteaApi<{ id: number }>(gitea, ['POST', `repos/${path}/hooks`, hook]);
    const repository = new Repository(path, id);
    if (files) {
      const copy = await repository.copy(PEOPLE.owner, branch);
      await copy.commit(files, 'First [skip ci]');
      await repository.delivery(() => copy.push(branch));
    }
    return repository;
  }

  /** An empty working copy, or one with what is there. */
  copy(account = PEOPLE.writer, branch = 'main'): Promise<WorkingCopy> {
    return WorkingCopy.make(this.path, account, branch);
  }

  api<T>(method: string, path: string, body?: object, account = PEOPLE.owner): Promise<T> {
    return giteaApi<T>(world().gitea, [method, `repos/${this.path}${path}`, body], account);
  }

  /** Does something, and resolves with so many deliveries that it led to, once Gitea has their answers. */
  async delivers(count: number, act: () => Promise<unknown>): Promise<Delivered[]> {
    const { gitea } = world();
    const after = lastDelivery(gitea, this.#hook);
    await act();
    return eventually(`${count} deliveries of ${this.path}`, STORY_MS, () => {
      const found = deliveriesOf(gitea, { hook: this.#hook, after });
      return found.length >= count ? found : undefined;
    });
  }

  /** The first delivery that something led to. */
  async delivery(act: () => Promise<unknown>): Promise<Delivered> {
    const [first] = await this.delivers(1, act);
    if (!first) throw new Error('there is one');
    return first;
  }

  /** Every status of a commit, newest first. */
  statuses(sha: string): Promise<CommitStatus[]> {
    return this.api('GET', `/commits/${sha}/statuses?limit=50&sort=recentupdate`);
  }

  /** The newest status of a commit in a context, once it is as wanted. */
  status(sha: string, context: string, wanted: string): Promise<CommitStatus> {
    return eventually(`${context} of ${sha} is ${wanted}`, STORY_MS, async () => {
      const newest = (await this.statuses(sha)).find((one) => one.context === context);
      return newest?.status === wanted ? newest : undefined;
    });
  }

  /** Switches the webhook off, and on again. */
  async listens(active: boolean): Promise<void> {
    await this.api('PATCH', `/hooks/${this.#hook}`, { active });
  }

  pull(head: string, { base = 'main', account = PEOPLE.writer } = {}): Promise<PullRequest> {
    return this.api('POST', '/pulls', { head, base, title: `Pull ${head}` }, account);
  }

  /** Sends a delivery again, as the button of the webhook's page does. */
  async redeliver({ uuid }: Delivered): Promise<void> {
    const url = urlOf(world().gitea);
    const { name, secret } = PEOPLE.owner;
    const login = await fetch(`${url}/user/login`, {
      method: 'POST',
      body: new URLSearchParams({ user_name: name, password: secret }),
      redirect: 'manual',
    });
    // Of two cookies with one name, the later one counts.
    const cookies = new Map(
      login.headers.getSetCookie().map((one) => [one.split('=')[0], one.split(';')[0]]),
    );
    const cookie = [...cookies.values()].join('; ');
    const page = `${url}/${this.path}/settings/hooks/${this.#hook}/replay/${uuid}`;
    const done = await fetch(page, { method: 'POST', headers: { cookie }, redirect: 'manual' });
    if (!done.headers.get('location')?.includes('/settings/hooks/'))
      throw new Error(`replay of ${uuid}: ${done.status} ${await done.text()}`);
  }
}

export class WorkingCopy {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(path: string, account: Account, branch: string): Promise<WorkingCopy> {
    const copy = new WorkingCopy(mkdtempSync(join(tmpdir(), 'davit-copy-')));
    await copy.git('init', '-q', '-b', branch);
    const url = new URL(`${urlOf(world().gitea)}/${path}.git`);
    [url.username, url.password] = [account.name, account.secret];
    await copy.git('remote', 'add', 'origin', url.href);
    if ((await copy.git('ls-remote', 'origin', branch)) !== '') {
      await copy.git('fetch', '-q', 'origin', '--tags', branch);
      await copy.git('reset', '-q', '--hard', 'FETCH_HEAD');
    }
    return copy;
  }

  async git(...args: string[]): Promise<string> {
    const who = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
    const env = {
      PATH: process.env.PATH,
      HOME: this.folder,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
    };
    const { stdout } = await run('git', ['-C', this.folder, ...who, ...args], { env });
    return stdout.trim();
  }

  /** Resolves with the commit. */
  async commit(files: Files, message = 'a change'): Promise<string> {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      writeFileSync(join(this.folder, path), content);
    }
    await this.git('add', '-A');
    await this.git('commit', '-q', '--allow-empty', '-m', message);
    return this.head();
  }

  /** Adds an entry to the index, in the form of `git update-index -z --index-info`; for names that are not UTF-8. */
  indexBytes(entry: Uint8Array): void {
    const input = Buffer.concat([entry, Buffer.of(0)]);
    execFileSync('git', ['-C', this.folder, 'update-index', '-z', '--index-info'], { input });
  }

  head(): Promise<string> {
    return this.git('rev-parse', 'HEAD');
  }

  push(...args: string[]): Promise<string> {
    return this.git('push', '-q', 'origin', ...args);
  }
}

/** `davit plan` asks git what has changed, and explains why each job is in the pipeline or not. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import { testCli } from './support.ts';

const FILE = `default: {image: x}
docs: {script: [a, [b]], rules: [{changes: ["docs/*"]}]}
code: {script: x, rules: [{changes: {paths: ["src/*"], compare_to: main}}]}
docker: {script: x, rules: [{exists: [Dockerfile], when: manual, variables: {A: rule}}], variables: {A: job, B: job}}
merge: {script: x, needs: [docker], rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event", needs: []}]}
tagged: {script: x, only: [tags]}
later: {script: x, rules: [{if: $CI_PIPELINE_SOURCE == "schedule", when: delayed, start_in: 1 min}]}
`;
let folder = '';
const git = (...args: string[]): void => {
  execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=a@example.test', '-C', folder, ...args]);
};
const write = (path: string, text = ''): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};
const commit = (path: string, text?: string): void => {
  write(path, text);
  git('add', '.');
  git('commit', '--quiet', '--allow-empty', '-m', `Change ${path}`);
};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-test-plan-'));
  git('init', '--quiet', '--initial-branch=main');
  commit('.gitlab-ci.yml', FILE);
  commit('README.md');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Shown {
  name: string;
  when: string;
  why: string;
  [key: string]: unknown;
}
async function plan(...args: string[]): Promise<Shown[]> {
  const { cli, written } = testCli(folder, folder, {});
  expect(await runCli(cli, ['plan', '--json', ...args])).toBe(0);
  return (JSON.parse(written.out) as { jobs: Shown[] }).jobs;
}
const names = async (...args: string[]): Promise<string[]> => (await plan(...args)).map((job) => job.name);
async function text(...args: string[]): Promise<string> {
  const { cli, written } = testCli(folder, folder, {});
  await runCli(cli, ['plan', ...args]);
  return written.out;
}

describe('git finds the changes', () => {
  test('since the commit before, uncommitted and new files included', async () => {
    expect(await names()).toEqual([]);
    write('docs/new');
    expect(await names()).toEqual(['docs']);
    commit('docs/new');
    expect(await names()).toEqual(['docs']);
    commit('README.md', 'more');
    expect(await names()).toEqual([]);
    expect(await names('--ref', 'HEAD~1')).toEqual(['docs']);
  });
  test('since the branch left the one that compare_to names', async () => {
    git('checkout', '--quiet', '-b', 'feature');
    commit('src/a');
    commit('README.md', 'more');
    expect(await names()).toEqual(['code']);
  });
  test('existing files, without ignored ones', async () => {
    write('Dockerfile');
    expect(await names()).toEqual(['docker']);
    write('.gitignore', 'Dockerfile\n');
    expect(await names()).toEqual([]);
  });
  test('--changed replaces the result of git', async () => {
    expect(await names('--changed', 'docs/x', 'src/y')).toEqual(['docs', 'code']);
  });
});

describe('for an event', () => {
  test('merge_request', async () => {
    git('checkout', '--quiet', '-b', 'feature');
    commit('docs/a');
    commit('README.md', 'more');
    write('Dockerfile');
    expect(await names('--event', 'merge_request')).toEqual(['docs', 'docker', 'merge']);
  });
  test('tag', async () => expect(await names('--tag', 'v1')).toEqual(['docs', 'tagged']));
  test('schedule: everything counts as changed', async () =>
    expect(await names('--event', 'schedule')).toEqual(['docs', 'later']));
  test('an unknown one is wrong usage', async () => {
    const { cli, written } = testCli(folder, folder, {});
    expect(await runCli(cli, ['plan', '--event', 'pull'])).toBe(2);
    expect(written.err).toContain('merge_request');
  });
});

describe('what is shown', () => {
  test("every keyword as resolved, under GitLab's name", async () => {
    write('Dockerfile');
    expect(await plan('--changed', 'docs/x')).toMatchObject([
      {
        name: 'docs',
        stage: 'test',
        when: 'on_success',
        allow_failure: false,
        script: ['a', 'b'],
        image: 'x',
      },
      { name: 'docker', when: 'manual', allow_failure: false, variables: { A: 'rule', B: 'job' } },
    ]);
    const [docs] = await plan('--changed', 'docs/x');
    expect(docs).not.toHaveProperty('needs');
    expect(docs).not.toHaveProperty('rules');
    expect((await plan('--event', 'schedule')).at(-1)).toMatchObject({
      name: 'later',
      when: 'delayed',
      start_in: 60,
    });
  });
  test('--all adds the jobs that do not run', async () => {
    const all = await plan('--all', '--changed', 'docs/x');
    expect(all.map((job) => [job.name, job.when])).toEqual([
      ['docs', 'on_success'],
      ['code', 'never'],
      ['docker', 'never'],
      ['merge', 'never'],
      ['tagged', 'never'],
      ['later', 'never'],
    ]);
    expect(all.at(-2)).toMatchObject({ why: 'only runs for tags' });
  });
  test('the reason, for people', async () => {
    const shown = await text('--changed', 'docs/x');
    expect(shown).toMatch(/test +docs .* rule 1, line 2: changes: docs\/\*\n/);
    expect(shown).toMatch(/Left out:\n.*\n(.*\n)*test +tagged +only runs for tags\n/);
    expect(shown).toMatch(/test +code +no rule matches/);
  });
  test('the reason why there is nothing to run', async () => {
    write('.gitlab-ci.yml', `workflow: {rules: [{if: $NEVER}]}\n${FILE}`);
    expect(await text()).toContain('Nothing to run: no rule of workflow matches');
  });
});

describe('names of the project come from the git remote', () => {
  const NAMED = `default: {image: x}
path: {script: x, rules: [{if: $CI_PROJECT_PATH == "g/sub/p" && $CI_SERVER_HOST == "gitlab.com"}]}
space: {script: x, rules: [{if: '$CI_PROJECT_NAMESPACE == "g/sub" && $CI_PROJECT_NAME == "p"'}]}
only: {script: x, only: [main@g/sub/p]}
other: {script: x, only: [main@other/p]}
`;
  test('and the reasons say so', async () => {
    write('.gitlab-ci.yml', NAMED);
    git('remote', 'add', 'origin', 'git@gitlab.com:g/sub/p.git');
    expect(await names()).toEqual(['path', 'space', 'only']);
    expect((await plan()).map((job) => job.why)).toEqual([
      expect.stringContaining(
        '$CI_PROJECT_PATH is "g/sub/p" (the git remote); $CI_SERVER_HOST is "gitlab.com"',
      ),
      expect.stringContaining('$CI_PROJECT_NAMESPACE is "g/sub" (the git remote)'),
      'only main@g/sub/p; the project is g/sub/p (the git remote)',
    ]);
    const { cli, written } = testCli(folder, folder, {});
    await runCli(cli, ['plan']);
    expect(written.err).toContain('The project is g/sub/p at gitlab.com, as the git remote says.');
  });
  test('nothing is said where nothing asks for them', async () => {
    git('remote', 'add', 'origin', 'https://gitlab.com/g/p');
    const { cli, written } = testCli(folder, folder, {});
    await runCli(cli, ['plan']);
    expect(written.err).not.toContain('git remote');
  });
  test('a folder as a remote is no forge', async () => {
    write('.gitlab-ci.yml', NAMED);
    git('remote', 'add', 'origin', '/srv/git/g/sub/p.git');
    expect(await names()).toEqual([]);
  });
  test('its own files and components by the full name are those of this folder', async () => {
    git('remote', 'add', 'origin', 'https://gitlab.com/g/p.git');
    write('own.yml', 'own: {image: x, script: x}');
    write(
      'templates/c.yml',
      'spec: {inputs: {n: {default: c}}}\n---\n$[[ inputs.n ]]: {image: x, script: x}',
    );
    write(
      '.gitlab-ci.yml',
      'include:\n  - {project: g/p, file: own.yml}\n  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/c@$CI_COMMIT_SHA\n',
    );
    expect(await names()).toEqual(['own', 'c']);
  });
});

describe('a file that is named', () => {
  test('may be in the project or elsewhere: then its own folder is the project', async () => {
    const other = mkdtempSync(join(tmpdir(), 'davit-test-plan-'));
    try {
      write('ci/nightly.yml', 'default: {image: x}\nnight: {script: x}\n');
      writeFileSync(join(other, '.gitlab-ci.yml'), 'include: jobs.yml\n');
      writeFileSync(join(other, 'jobs.yml'), 'default: {image: x}\nelsewhere: {script: x}\n');
      expect(await names('ci/nightly.yml')).toEqual(['night']);
      expect(await names(join(folder, 'ci/nightly.yml'))).toEqual(['night']);
      expect(await names('--file', 'ci/nightly.yml')).toEqual(['night']);
      expect(await names(join(other, '.gitlab-ci.yml'))).toEqual(['elsewhere']);
    } finally {
      rmSync(other, { recursive: true });
    }
  });

  test('is checked and printed by the other commands as well', async () => {
    write('ci/nightly.yml', 'default: {image: x}\nnight: {script: x}\n');
    for (const command of ['lint', 'config']) {
      const { cli, written } = testCli(folder, folder, {});
      expect(await runCli(cli, [command, join(folder, 'ci/nightly.yml')])).toBe(0);
      expect(written.out).toMatch(/night/);
    }
  });
});

describe('inputs of the file', () => {
  beforeEach(() =>
    write(
      '.gitlab-ci.yml',
      'spec: {inputs: {name: , list: {type: array, default: [x]}}}\n---\ndefault: {image: x}\n' +
        '"$[[ inputs.name ]]": {script: "$[[ inputs.list ]]"}\n',
    ),
  );
  test('come from --input, and inputs that are not text are read as JSON', async () => {
    expect(await plan('--input', 'name=a=b', '--input', 'list=["y", "z"]')).toMatchObject([
      { name: 'a=b', script: ['y', 'z'] },
    ]);
  });
  test('are taken by lint and config too', async () => {
    for (const command of ['lint', 'config']) {
      const { cli, written } = testCli(folder, folder, {});
      expect(await runCli(cli, [command, '--input', 'name=given'])).toBe(0);
      expect(written.out).toMatch(command === 'lint' ? /1 job in 1 stage/ : /^given:$/m);
    }
  });
  test('a missing one is an error that explains how to pass it', async () => {
    const { cli, written } = testCli(folder, folder, {});
    expect(await runCli(cli, ['lint'])).toBe(2);
    expect(written.out).toContain('.gitlab-ci.yml:1:17');
    expect(written.out).toContain('the input "name"');
    expect(written.out).toContain('--input name=VALUE');
  });
  test.each(['name', '=x'])('--input %s is wrong usage', async (given) => {
    const { cli, written } = testCli(folder, folder, {});
    expect(await runCli(cli, ['plan', '--input', given])).toBe(2);
    expect(written.err).toContain('NAME=VALUE');
  });
});

describe('a ref that does not exist locally', () => {
  test('is planned as a branch with these files, with a notice', async () => {
    commit(
      '.gitlab-ci.yml',
      'default: {image: x}\na: {script: x, only: [later]}\nb: {script: x, only: [main]}\n',
    );
    expect(await names('--ref', 'later')).toEqual(['a']);
    expect(await names('--ref', 'main')).toEqual(['b']);
    const { cli, written } = testCli(folder, folder, {});
    await runCli(cli, ['plan', '--ref', 'later']);
    expect(written.err).toContain('later does not exist here');
  });

  test('works in a folder without a repository', async () => {
    rmSync(join(folder, '.git'), { recursive: true });
    write('.gitlab-ci.yml', 'default: {image: x}\na: {script: x, only: [later]}\n');
    expect(await names('--ref', 'later')).toEqual(['a']);
  });
});

describe('pipelines that jobs start', () => {
  const CHILD = `a: {image: x, script: x, rules: [{if: '$CI_PIPELINE_SOURCE == "parent_pipeline" && $LEVEL == "2"'}]}
b: {image: x, script: x, rules: [{if: '$CI_PIPELINE_SOURCE == "push"'}]}
deeper: {trigger: {include: {local: ci/grandchild.yml}}}
`;
  beforeEach(() => {
    write(
      '.gitlab-ci.yml',
      'go: {trigger: {include: [ci/child.yml]}, variables: {LEVEL: "2"}}\nfar: {trigger: group/p}\n',
    );
    write('ci/child.yml', CHILD);
    write('ci/grandchild.yml', 'c: {image: x, script: x}\nend: {trigger: {include: ci/child.yml}}\n');
  });
  test('are planned too, of local files alone, two levels deep', async () => {
    const [go, far] = await plan();
    expect(far).not.toHaveProperty('child');
    expect(go?.child).toMatchObject({
      kind: 'plan',
      jobs: [
        { name: 'a' },
        { name: 'deeper', child: { kind: 'plan', jobs: [{ name: 'c' }, { name: 'end' }] } },
      ],
    });
    expect(JSON.stringify(go?.child).match(/"child"/g)).toHaveLength(1);
    const shown = await text();
    expect(shown).toMatch(/\ngo starts a child pipeline:\n[^]*\ngo > deeper starts a child pipeline:\n/);
  });
  test('with mistakes are shown, and are an error', async () => {
    write('ci/grandchild.yml', 'c: {image: x, skript: x}\n');
    const { cli, written } = testCli(folder, folder, {});
    expect(await runCli(cli, ['plan'])).toBe(2);
    expect(written.out).toContain('go > deeper starts a child pipeline with an invalid file.');
    expect(written.err).toContain('ci/grandchild.yml:1:');
  });
});

/** `include: template` of GitLab's own templates: what is asked for, and what is said when it cannot be read. */
import { expect, test } from 'vitest';
import { compile } from '../../../../src/compiler/compile.ts';
import { loadIncludes } from '../../../../src/compiler/includes.ts';
import { problemText } from '../../../../src/compiler/problems.ts';
import { includeKey, type IncludeAnswer } from '../../../../src/plan/model/includes.ts';
import { request } from '../helpers.ts';

const SCAN = 'Jobs/Scan.gitlab-ci.yml';
const templates: Record<string, string> = {
  [SCAN]: `include: [{template: Jobs/Base.gitlab-ci.yml}]
scan: {extends: .scanner, script: [scan $LEVEL]}`,
  'Jobs/Base.gitlab-ci.yml': `variables: {LEVEL: low}
.scanner: {image: scanner, stage: test}`,
};
const away: IncludeAnswer = {
  refused: { code: 'include/unreachable', message: 'template: it is away.', hint: 'Later.', outage: true },
};

async function compiled(text: string, { on = true, offline = false } = {}) {
  const asked = { ...request(text), gitlabTemplates: on };
  const wants: string[] = [];
  const loaded = await loadIncludes(asked, {
    read: () => Promise.resolve({}),
    list: () => Promise.resolve([]),
    changed: () => Promise.resolve(undefined),
    elsewhere: (these) => {
      wants.push(...these.map(includeKey));
      const answers = these.map((want): [string, IncludeAnswer] => {
        const found = want.kind === 'template' ? templates[want.name] : undefined;
        return [includeKey(want), offline || found === undefined ? away : { text: found }];
      });
      return Promise.resolve(Object.fromEntries(answers));
    },
  });
  return { answer: compile({ ...asked, ...loaded }), wants };
}
const said = async (text: string, options?: Parameters<typeof compiled>[1]): Promise<string[]> => {
  const { answer } = await compiled(text, options);
  return answer.kind === 'invalid' ? answer.problems.map(problemText) : [answer.kind];
};

test('a template of GitLab is read with the templates that it includes, and its jobs can be changed', async () => {
  const { answer, wants } = await compiled(`include: {template: ${SCAN}}
scan: {variables: {LEVEL: high}}`);
  expect(wants).toEqual([`template ${SCAN}`, 'template Jobs/Base.gitlab-ci.yml']);
  expect(answer.kind === 'plan' ? answer.jobs.map(({ job }) => job.key) : answer).toEqual(['scan']);
});

test("davit's own templates stay, whatever GitLab has", async () => {
  const { wants } = await compiled(
    'include: {template: Workflows/Branch-Pipelines.gitlab-ci.yml}\nj: {script: [x]}',
  );
  expect(wants).toEqual([]);
});

test('without the setting nothing is asked, and the setting is named', async () => {
  const { wants } = await compiled(`include: {template: ${SCAN}}`, { on: false });
  expect(wants).toEqual([]);
  expect(await said(`include: {template: ${SCAN}}`, { on: false })).toEqual([
    expect.stringMatching(
      /davit has no template "Jobs\/Scan.gitlab-ci.yml".*includes: \{ templates: gitlab \}/,
    ),
  ]);
});

test('a template that cannot be read is one mistake, which names what is not known', async () => {
  const file = `include:
  - template: ${SCAN}
scan: {variables: {LEVEL: high}}
deep: {extends: .scanner, script: [x]}
after: {image: x, needs: [scan], script: [y]}
.hidden: {image: x}`;
  expect(await said(file, { offline: true })).toEqual([
    '.gitlab-ci.yml:2:5 template: it is away. Not known: the jobs of Jobs/Scan.gitlab-ci.yml, and of this file scan, deep.' +
      ' [include/unreachable] (Later.)',
  ]);
  const all = `include: {template: ${SCAN}}\nmine: {image: x, script: [y]}`;
  expect(await said(all, { offline: true })).toEqual([
    expect.stringContaining('Not known: the jobs of Jobs/Scan.gitlab-ci.yml. '),
  ]);
});

/** What the events of each forge say about a project, and what is known of it without one. */
import { describe, expect, test } from 'vitest';
import { keptDefaultBranch, knownProject } from '../../../../activities/runtime/project-access.ts';
import { defaultBranchOf } from '../../../../src/plan/policy/default-branch.ts';
import type { Trigger } from '../../../../src/plan/model/trigger.ts';
import type { ForgeEvent } from '../../../../src/server/webhooks/event.ts';
import { githubEvent } from '../../../../src/server/webhooks/github.ts';
import { gitlabEvent } from '../../../../src/server/webhooks/gitlab.ts';
import { triggerOf } from '../../../support/plans.ts';
import { memoryRecords } from '../fakes.ts';

const sha = { before: 'a'.repeat(40), after: 'b'.repeat(40) };
const commit = { id: sha.after, message: 'A change' };
const gitea = {
  id: 1,
  full_name: 'acme/shop',
  default_branch: 'trunk',
  html_url: 'https://gitea.test/acme/shop',
  clone_url: 'https://gitea.test/acme/shop.git',
};
const gitlab = {
  id: 1,
  path_with_namespace: 'acme/shop',
  default_branch: 'trunk',
  web_url: 'https://gitlab.test/acme/shop',
  git_http_url: 'https://gitlab.test/acme/shop.git',
};
const pushes: [string, () => ForgeEvent, string][] = [
  ...(['gitea', 'github'] as const).map((name): [string, () => ForgeEvent, string] => [
    name,
    () => githubEvent('push', { ref: 'refs/heads/trunk', ...sha, head_commit: commit, repository: gitea }),
    'https://gitea.test/acme/shop',
  ]),
  [
    'gitlab',
    () =>
      gitlabEvent({
        object_kind: 'push',
        ref: 'refs/heads/trunk',
        ...sha,
        commits: [commit],
        project: gitlab,
      }),
    'https://gitlab.test/acme/shop',
  ],
];

function triggerFrom(event: ForgeEvent): Trigger {
  if (event.kind !== 'trigger') throw new Error(event.reason);
  return { ...event.trigger, project: 'shop', deliveryId: 'd', receivedAt: 1 };
}

describe.each(pushes)('%s', (_name, event, url) => {
  test('an event says it, and it is kept for what says nothing', async () => {
    const records = memoryRecords();
    const facts = { defaultBranch: 'trunk', path: 'acme/shop', url };
    expect(await knownProject(records, triggerFrom(event()))).toEqual(facts);
    for (const source of ['schedule', 'api', 'cli'] as const)
      expect(await knownProject(records, triggerOf('shop', { source, defaultBranch: 'guess' }))).toEqual(
        facts,
      );
    expect(await keptDefaultBranch(records, { name: 'shop' })).toBe('trunk');
  });
});

test('a renamed repository and another default branch replace what was known', async () => {
  const records = memoryRecords();
  const first = pushes[0]?.[1]();
  if (!first) throw new Error('there is one');
  await knownProject(records, triggerFrom(first));
  const moved = triggerOf('shop', { defaultBranch: 'main', repository: { id: '1', path: 'acme/store' } });
  expect(await knownProject(records, moved)).toMatchObject({ defaultBranch: 'main', path: 'acme/store' });
});

test('the installation file comes first, then the forge, then what a request says', async () => {
  expect(defaultBranchOf({ default_branch: 'own' }, { defaultBranch: 'trunk' }, 'guess')).toBe('own');
  expect(defaultBranchOf({}, { defaultBranch: 'trunk' }, 'guess')).toBe('trunk');
  expect(defaultBranchOf({}, {}, 'guess')).toBe('guess');
  expect(defaultBranchOf({}, {})).toBe('main');
  expect(await keptDefaultBranch(memoryRecords(), { name: 'shop' })).toBe('main');
});

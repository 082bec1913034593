import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { registryActions, type JobAsker } from '../../../src/match/registry-access.ts';

const RULES = {
  host: 'registry.example.com',
  projects: [{ name: 'alpha' }, { name: 'beta' }, { name: 'open', images_to: ['*'] }],
};
const asker = (more: Partial<JobAsker> = {}): JobAsker => ({
  project: 'alpha',
  protectedRef: false,
  fork: false,
  ...more,
});
const may = (job: JobAsker, repository: string): string =>
  [...registryActions({ kind: 'job', job }, repository, RULES)].sort().join();

describe('a registry with a public name', () => {
  test.each([
    ['base', 'pull', ''],
    ['open/api', 'pull', 'pull'],
    ['forks/alpha', 'pull', 'pull'],
    ['forks/beta', '', ''],
    ['beta', '', ''],
    ['unlisted', 'pull', ''],
    ['unlisted/cache/protected', '', ''],
  ])('%s is for a job: %s; for a fork: %s', (repository, job, fork) => {
    expect(may(asker(), repository)).toBe(job);
    expect(may(asker({ fork: true }), repository)).toBe(fork);
  });
});

test('no job deletes, and none writes below the name of another project, into forks, or into what davit keeps', () => {
  const part = fc.constantFrom('alpha', 'beta', 'open', 'forks', 'cache', 'pipelines', 'protected', 'x');
  const job = fc.record({
    project: fc.constant('alpha'),
    protectedRef: fc.boolean(),
    fork: fc.boolean(),
  });
  fc.assert(
    fc.property(job, fc.array(part, { minLength: 1, maxLength: 4 }), fc.boolean(), (one, parts, davit) => {
      const repository = parts.join('/');
      const writes = davit ? [repository] : [];
      const actions = registryActions({ kind: 'job', job: one, writes }, repository, RULES);
      expect(actions.has('delete')).toBe(false);
      if (!actions.has('push')) return;
      const [first, second, third] = parts;
      expect(actions.has('pull')).toBe(true);
      if (one.fork) expect([davit, first, second]).toEqual([true, 'forks', 'alpha']);
      else {
        expect(first).toBe('alpha');
        if (second === 'cache' || second === 'pipelines')
          expect([davit, third]).toEqual([true, one.protectedRef ? 'protected' : third]);
        if ((second === 'cache' || second === 'pipelines') && third === 'protected')
          expect(one.protectedRef).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});

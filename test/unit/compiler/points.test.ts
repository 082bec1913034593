/**
 * What implementations of this language often get wrong, and the tests that hold davit to it. The pages of
 * docs/language are about the same points.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../support/source.ts';

/** Point, then `file: names of tests` of `test/`. */
const POINTS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'manual blocks in rules, and not outside of them': {
    'unit/compiler/rules/rules.test.ts': [
      'when: manual in rules blocks; outside of rules the pipeline goes on',
      'a matched rule without when keeps the job’s own',
    ],
    'unit/compiler/flow.test.ts': ['a gate implies manual and blocks'],
  },
  'no rule that matches, no rules at all, no pipeline': {
    'unit/compiler/rules/rules.test.ts': [
      'no match leaves the job out',
      'a rule without when means on_success',
      'neither rules nor only/except: branches and tags, not merge requests',
    ],
    'unit/compiler/rules/select.test.ts': ['no job is selected', 'only jobs of .pre and .post'],
  },
  'stages, needs, and what is skipped': {
    'unit/compiler/draft/needs.test.ts': [
      'without needs: the stages decide, and artifacts come from all earlier stages',
      'needs: [] starts at once and gets nothing',
      'a need on one is an error with the reason',
    ],
    'unit/plan/policy/schedule.test.ts': [
      'skips on_success, manual and delayed jobs behind a need that was skipped or has failed',
    ],
  },
  'failures that are allowed': {
    'unit/plan/policy/status.test.ts': [
      'exit codes allow a failed script only',
      'a manual job is ignored when it may fail, and blocks when it must not',
    ],
    'unit/plan/policy/schedule.test.ts': ['starts no job before all it waits for has ended, or is optional'],
  },
  'shells of a job': {
    'unit/activities/job/start/supervisor-script.test.ts': [
      'one shell runs the whole script, so exports and cd stay',
      'pipefail where the shell has it',
      'after_script is another shell, knows the status, and its failure is ignored',
      'RUNNER_SCRIPT_TIMEOUT ends the script and leaves time for after_script',
    ],
    'integration/job-script.test.ts': ['a cancel runs after_script, stops every process, removes everything'],
  },
  'artifacts and reports': {
    'integration/job-reports.test.ts': ['are stored whatever the result and `when`, junit with a summary'],
    'integration/job-script.test.ts': [
      'too large artifacts fail the job with a message',
      'artifacts are passed to the next job; a later one overrides; links stay links',
    ],
  },
  caches: {
    'integration/job-cache.test.ts': [
      'protected and other refs are separate; unprotect shares; a fork writes nothing',
      'a changed key:files digest is a new cache',
      'fallback keys in order, CACHE_FALLBACK_KEY last',
      'artifacts win over a cache, a cache over the source',
    ],
  },
  'variables: who wins, and who expands them': {
    'unit/activities/job/job-pure.test.ts': ["GitLab's order: file, dotenv, project, pipeline"],
    'unit/compiler/variables/variables.test.ts': [
      '$$ is a dollar, and expand: false leaves the text alone',
      'scripts are left to the shell',
    ],
  },
  'names of parallel jobs': {
    'unit/compiler/draft/parallel.test.ts': [
      'names are `job: [a, b]`, every combination, entry by entry',
      'a need on the plain name waits for all of them',
      'a need with parallel:matrix waits for the one',
    ],
  },
  'locks, auto-cancel, retries, environments that end': {
    'unit/plan/policy/locks.test.ts': [
      'oldest_first: waits for the oldest, also if its turn has not come',
      'newest_ready_first: the newest of those that wait',
    ],
    'unit/plan/policy/approval-policy.test.ts': [
      'conservative: cancels until the first job that is not interruptible has started',
    ],
    'unit/plan/policy/job-retry.test.ts': ['is retried as often as the file says, and at most twice'],
    'integration/downstream.test.ts': [
      'without strategy ends when its pipeline has a plan; each shows the other',
      'with depend takes the result, and later jobs wait for it',
      'with mirror shows that a pipeline waits for a person, with depend stays running',
    ],
    'integration/environments.test.ts': [
      'is stopped by its on_stop job after auto_stop_in, even if its pipeline has ended',
      'prepare, verify and access make no deployment; neither does a failed deployment',
    ],
  },
  'the status of a pipeline': {
    'unit/plan/policy/status.test.ts': [
      "a pipeline's state, in GitLab's order",
      'is final exactly when nothing is open',
    ],
  },
  'only and except, changes': {
    'unit/compiler/rules/changes.test.ts': [
      'only keys are ANDed, entries ORed, any except key excludes',
      'is true for new branches, tags, schedules, web and API',
      'compares merge requests, whatever the state before',
    ],
  },
  'default, extends, null; what rules see': {
    'unit/compiler/assemble/config.test.ts': [
      'is replaced keyword by keyword, not merged',
      'merges maps deeply, replaces lists, and the child wins',
      'null removes a keyword',
    ],
    'unit/compiler/rules/rules.test.ts': ['no values that are known only later'],
    'unit/compiler/rules/job-variables.test.ts': [
      'of all that set a variable, the one that the job gets decides',
    ],
    'unit/compiler/emit/specs.test.ts': [
      "services: names, aliases, commands and their own variables over the file's",
    ],
  },
  'retry: 2 is three runs; reasons': {
    'unit/plan/policy/job-retry.test.ts': ['is retried as often as the file says, and at most twice'],
    'unit/compiler/schema/keywords.test.ts': ['lists for each failure the reasons that match it'],
  },
  'numbers that are unique': {
    'integration/compile.test.ts': ['compiling twice gives the same plan with the same numbers'],
  },
  'tags, letter case included': {
    'unit/compiler/flow.test.ts': [
      'the rarest tag, case-sensitive',
      'a job that no worker can take now is a warning',
    ],
    'unit/compiler/here.test.ts': ['letter case counts'],
    'integration/job-script.test.ts': ['a worker without the tag requeues it untouched'],
  },
};

describe('each of the sixteen points has its tests', () => {
  test('are sixteen', () => expect(Object.keys(POINTS)).toHaveLength(16));
  test.each(Object.entries(POINTS))('%s', (_point, files) => {
    for (const [file, names] of Object.entries(files)) {
      const text = readFileSync(join(ROOT, 'test', file), 'utf8');
      for (const name of names)
        expect(
          ["'", '"', '`'].some((quote) => text.includes(quote + name + quote)),
          `${file}: ${name}`,
        ).toBe(true);
    }
  });
});

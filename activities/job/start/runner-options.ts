/**
 * The variables of a job that GitLab's runner reads, as far as they apply here. The workspace of a job is
 * always new, so GIT_CLEAN_FLAGS and the difference between clone and fetch have no effect; GIT_DEPTH has had
 * its effect when the source was fetched, before any job. Pure.
 */
import { DavitError } from '../../../src/errors.ts';
import { parseDuration } from '../../../src/plan/model/duration.ts';

export interface RunnerOptions {
  /** `git`: the repository without a checkout. */
  source: 'all' | 'git' | 'none';
  submodules: boolean;
  /** CI_DEBUG_TRACE: the shell prints every command. */
  trace: boolean;
  scriptSeconds?: number;
  afterSeconds?: number;
  warnings: string[];
}

/** Rejects with `job/source` for values that davit does not support. */
export function runnerOptions(values: ReadonlyMap<string, string>): RunnerOptions {
  const warnings: string[] = [];
  const seconds = (name: string): number | undefined => {
    const text = values.get(name);
    if (text === undefined || text === '') return undefined;
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= 1_000) return Math.floor(ms / 1_000);
    warnings.push(`${name} is not a duration of at least one second: "${text}"; it is left out.`);
    return undefined;
  };
  return {
    source: sourceOf(values),
    submodules: submodulesOf(values.get('GIT_SUBMODULE_STRATEGY') ?? ''),
    trace: isTrue(values.get('CI_DEBUG_TRACE')),
    scriptSeconds: seconds('RUNNER_SCRIPT_TIMEOUT'),
    afterSeconds: seconds('RUNNER_AFTER_SCRIPT_TIMEOUT'),
    warnings,
  };
}

function sourceOf(values: ReadonlyMap<string, string>): RunnerOptions['source'] {
  const strategy = values.get('GIT_STRATEGY') ?? '';
  if (strategy === 'none' || strategy === 'empty') return 'none';
  if (strategy !== '' && strategy !== 'clone' && strategy !== 'fetch')
    throw new DavitError(
      'job/source',
      `GIT_STRATEGY is "${strategy}"; it can be clone, fetch, none or empty.`,
    );
  return isFalse(values.get('GIT_CHECKOUT')) ? 'git' : 'all';
}

function submodulesOf(strategy: string): boolean {
  if (strategy === '' || strategy === 'none') return false;
  if (strategy === 'normal' || strategy === 'recursive') return true;
  throw new DavitError(
    'job/source',
    `GIT_SUBMODULE_STRATEGY is "${strategy}"; it can be none, normal or recursive.`,
  );
}

/** Parsed like Go does, the language of the runner. */
const isTrue = (text: string | undefined): boolean => /^(1|t|true)$/i.test(text ?? '');
const isFalse = (text: string | undefined): boolean => /^(0|f|false)$/i.test(text ?? '');

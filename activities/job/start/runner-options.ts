/**
 * The variables of a job that GitLab's runner reads, as far as they apply here. The workspace of a job is
 * always new, so GIT_CLEAN_FLAGS and the difference between clone and fetch have no effect; GIT_DEPTH has had
 * its effect when the source was fetched, before any job. Pure.
 */
import { DavitError } from '../../../src/errors.ts';
import { parseDuration } from '../../../src/plan/model/duration.ts';
import type { AskedLimits } from '../context/rights.ts';

export interface RunnerOptions {
  /** `git`: the repository without a checkout. */
  source: 'all' | 'git' | 'none';
  submodules: boolean;
  /** CI_DEBUG_TRACE: the shell prints every command. */
  trace: boolean;
  scriptSeconds?: number;
  afterSeconds?: number;
  /** KUBERNETES_MEMORY_LIMIT and KUBERNETES_CPU_LIMIT: the limits that a job may set in GitLab. */
  limits: AskedLimits;
  warnings: string[];
}

/** What engines accept: 6 MiB, and a hundredth of a CPU. */
const LEAST_MEMORY = 6 * 1024 ** 2;
const LEAST_CPUS = 0.01;

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
  const amount = (name: string, least: number): number | undefined => {
    const text = values.get(name);
    if (text === undefined || text === '') return undefined;
    const found = quantity(text);
    if (found !== undefined && found >= least) return found;
    warnings.push(`${name} is no amount of at least ${least}: "${text}"; it is left out.`);
    return undefined;
  };
  const memoryBytes = amount('KUBERNETES_MEMORY_LIMIT', LEAST_MEMORY);
  const cpus = amount('KUBERNETES_CPU_LIMIT', LEAST_CPUS);
  return {
    source: sourceOf(values),
    submodules: submodulesOf(values.get('GIT_SUBMODULE_STRATEGY') ?? ''),
    trace: isTrue(values.get('CI_DEBUG_TRACE')),
    scriptSeconds: seconds('RUNNER_SCRIPT_TIMEOUT'),
    afterSeconds: seconds('RUNNER_AFTER_SCRIPT_TIMEOUT'),
    limits: { ...(memoryBytes !== undefined && { memoryBytes }), ...(cpus !== undefined && { cpus }) },
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

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  m: 0.001,
  ...{ k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3, Ti: 1024 ** 4 },
};

/** A quantity as Kubernetes writes it: `500m`, `1.5`, `512Mi`, `2G`. */
function quantity(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([a-zA-Z]*)$/.exec(text.trim()) ?? [];
  const factor = UNITS[unit];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}

/** Parsed like Go does, the language of the runner. */
const isTrue = (text: string | undefined): boolean => /^(1|t|true)$/i.test(text ?? '');
const isFalse = (text: string | undefined): boolean => /^(0|f|false)$/i.test(text ?? '');

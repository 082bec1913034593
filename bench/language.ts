/** The cost of the language: planning a large file, and linting an ordinary one in a separate process. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { childEnvironment } from '../src/config.ts';
import { compile } from '../src/compiler/compile.ts';
import type { CompileRequest } from '../src/compiler/request.ts';
import { request } from '../test/unit/compiler/helpers.ts';
import { spread, type Spread } from './stats.ts';

const ROOT = join(import.meta.dirname, '..');
const JOBS = 1_000;
const INCLUDES = 20;

/** An ordinary job: a template, rules, needs, variables, artifacts. */
const job = (at: number): string => `job-${at}:
  extends: .template
  stage: ${at % 3 === 0 ? 'build' : 'test'}
  variables: { NUMBER: "${at}", IMAGE: "$CI_REGISTRY_IMAGE/part-${at}:$VERSION" }
  script:
    - make part-${at}
    - echo "$IMAGE" > part-${at}.txt
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
      changes: ["src/part-${at}/**/*"]
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  ${at % 3 === 0 ? 'artifacts: { paths: ["part-*.txt"] }' : `needs: [{ job: job-${at - (at % 3)}, artifacts: true }]`}
`;

/** 1,000 jobs in 20 included files. */
export function largeRequest(): CompileRequest {
  const files = Array.from({ length: INCLUDES }, (_, at) => `ci/part-${at}.yml`);
  const each = JOBS / INCLUDES;
  const included = Object.fromEntries(
    files.map((file, at) => [file, Array.from({ length: each }, (_, of) => job(at * each + of)).join('\n')]),
  );
  const text = `stages: [build, test]
variables: { VERSION: "1.0" }
include:
${files.map((file) => `  - local: ${file}`).join('\n')}
.template:
  image: registry.example.com/tools:1
  retry: { max: 1, when: runner_system_failure }
  interruptible: true
`;
  return request(text, { included, files });
}

/** Processor time of this process and all its threads so far, ms. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/**
 * Processor time of each planning in ms, `cold` for the first one of this process, and its peak memory in MB.
 */
export function measurePlan(rounds: number): { cold: number; warm: Spread; mb: number } {
  const asked = largeRequest();
  const before = process.memoryUsage().heapUsed;
  const times: number[] = [];
  let most = before;
  for (let round = 0; round <= rounds; round += 1) {
    const started = cpuMs();
    const answer = compile(asked);
    times.push(cpuMs() - started);
    if (answer.kind !== 'plan' || answer.jobs.length !== JOBS)
      throw new Error(JSON.stringify(answer).slice(0, 500));
    most = Math.max(most, process.memoryUsage().heapUsed);
  }
  return { cold: times[0] ?? Number.NaN, warm: spread(times.slice(1)), mb: (most - before) / 1024 / 1024 };
}

/**
 * Processor ms of `davit lint` of examples/table with every process that it starts, the launcher and git
 * included; `cold` is the first one after an installation, which compiles davit's modules for the others.
 * Also of a Node that does nothing.
 */
export function measureLint(rounds: number): { cold: number; warm: Spread; node: Spread } {
  const folder = mkdtempSync(join(tmpdir(), 'davit-bench-lint-'));
  try {
    cpSync(join(ROOT, 'examples/table'), join(folder, 'table'), { recursive: true });
    const times = Array.from({ length: rounds + 1 }, () => ({
      lint: treeMs([join(ROOT, 'davit'), 'lint'], folder),
      node: treeMs([process.execPath, '-e', '0'], folder),
    }));
    const [first, ...others] = times;
    return {
      cold: first?.lint ?? Number.NaN,
      warm: spread(others.map((one) => one.lint)),
      node: spread(others.map((one) => one.node)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Processor time of a command and its children, from the second line of the shell's `times`. */
function treeMs(command: readonly string[], folder: string): number {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', '"$@" >&2 && times', 'sh', ...command], {
    cwd: join(folder, 'table'),
    encoding: 'utf8',
    env: childEnvironment({
      PATH: `${dirname(process.execPath)}:${childEnvironment({}).PATH ?? ''}`,
      DAVIT_HOME: join(folder, 'home'),
      DAVIT_CACHE: join(folder, 'cache'),
    }),
  });
  const children = stdout.trim().split('\n').at(-1) ?? '';
  const [user, system] = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, seconds]) => Number(minutes) * 60_000 + Number(seconds) * 1_000,
  );
  if (status !== 0 || user === undefined || system === undefined) throw new Error(stderr + stdout);
  return user + system;
}

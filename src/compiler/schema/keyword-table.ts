import type { z } from 'zod';
import { SPEC } from './keywords/input-spec.ts';
import { artifacts } from './keywords/artifacts.ts';
import { cache } from './keywords/cache.ts';
import { environment } from './keywords/environment.ts';
import * as flow from './keywords/flow.ts';
import { INCLUDE } from './keywords/include.ts';
import { inherit } from './keywords/inherit.ts';
import type { KeywordInfo } from './validation/keyword.ts';
import { needs } from './keywords/needs.ts';
import { OWN } from './davit-keywords.ts';
import { pages, publish } from './keywords/pages.ts';
import * as parallel from './keywords/parallel.ts';
import { rules, workflow } from './keywords/rules.ts';
import { REFUSED } from './refused-keywords.ts';
import { release } from './keywords/release.ts';
import * as run from './keywords/run.ts';
import { TRIGGER, trigger } from './keywords/trigger.ts';
import * as typed from './keywords/davit-jobs.ts';
import { checked, lenient, type Checked } from './validation/validate.ts';

export type { KeywordInfo, KeywordStatus } from './validation/keyword.ts';

/**
 * Every keyword of the language, with its support in davit. Nothing is ignored: a keyword is supported, or an
 * error names it. `npm run docs` writes docs/language/keywords.md from this list.
 */
const table = {
  image: lenient('image', run.image),
  services: lenient('services', run.services),
  before_script: checked('before_script', run.scripts),
  script: checked('script', run.mainScript),
  after_script: checked('after_script', run.scripts),
  stage: checked('stage', flow.stage),
  extends: checked('extends', flow.extendsList),
  variables: checked('variables', run.variables),
  artifacts: lenient('artifacts', artifacts),
  cache: lenient('cache', cache),
  coverage: checked('coverage', run.coverage),
  hooks: lenient('hooks', run.hooks),
  needs: lenient('needs', needs),
  dependencies: checked('dependencies', flow.dependencies),
  tags: checked('tags', run.tags),
  arch: checked('arch', run.arch),
  rules: lenient('rules', rules),
  only: lenient('only', flow.policy),
  except: lenient('except', flow.policy),
  when: checked('when', flow.when),
  start_in: checked('start_in', flow.startIn),
  allow_failure: lenient('allow_failure', flow.allowFailure),
  retry: lenient('retry', flow.retry),
  timeout: checked('timeout', flow.timeout),
  environment: lenient('environment', environment),
  resource_group: checked('resource_group', flow.resourceGroup),
  interruptible: checked('interruptible', flow.interruptible),
  inherit: lenient('inherit', inherit),
  parallel: checked('parallel', parallel.parallel),
  manual_confirmation: checked('manual_confirmation', flow.manualConfirmation),
  release: lenient('release', release),
  pages: lenient('pages', pages),
  publish: checked('publish', publish),
  build: checked('build', typed.build),
  apitest: checked('apitest', typed.apitest),
  push: checked('push', typed.push),
  deploy: checked('deploy', typed.deploy),
  gate: checked('gate', typed.gate),
  trigger: checked('trigger', trigger),
} as const;
type Output<T> = T extends Checked<infer V> ? V : never;
type Values = { [K in keyof typeof table]: Output<(typeof table)[K]> };
/** Typed readers of the job's keywords. */
export const readers: { readonly [K in keyof Values]: Checked<Values[K]> } = table;
/** A job's validated keywords; one that is missing, empty or wrong is undefined. */
export type JobValues = { [K in keyof Values]?: Values[K] };
export const globalVariablesReader = checked('variables', run.globalVariables);
export const workflowReader = lenient('workflow', workflow);
export const stagesReader: Checked<z.output<typeof flow.stages>> = checked('stages', flow.stages);

const JOB = ['job'] as const;
const BOTH = ['job', 'default'] as const;
const ALL = ['top', 'default', 'job'] as const;

export const KEYWORDS: readonly KeywordInfo[] = [
  { name: 'stages', in: ['top'], status: 'same', schema: flow.stages },
  { name: 'default', in: ['top'], status: 'same' },
  { name: 'variables', in: ['top', 'job'], status: 'same', schema: run.variables },
  {
    name: 'workflow',
    in: ['top'],
    status: 'differs',
    note: 'its rules work like the rules of jobs',
    schema: workflow,
  },
  {
    name: 'image',
    in: ALL,
    status: 'differs',
    note: '`kubernetes` is refused: davit runs jobs on Docker engines',
    schema: run.image,
  },
  {
    name: 'services',
    in: ALL,
    status: 'differs',
    note: 'services get the YAML variables of the file, the job and their own, but not those of project and pipeline; `kubernetes` is refused',
    schema: run.services,
  },
  { name: 'before_script', in: ALL, status: 'same', schema: run.scripts },
  { name: 'after_script', in: ALL, status: 'same', schema: run.scripts },
  { name: 'script', in: JOB, status: 'same', schema: run.mainScript },
  { name: 'stage', in: JOB, status: 'same', schema: flow.stage },
  { name: 'extends', in: JOB, status: 'same', schema: flow.extendsList },
  {
    name: 'artifacts',
    in: BOTH,
    status: 'differs',
    note: 'in `reports`, `junit` is summarised and `dotenv` is passed on, other kinds are stored; `access` and `public` apply to downloads',
    schema: artifacts,
  },
  {
    name: 'needs',
    in: JOB,
    status: 'differs',
    note: '`project` and `pipeline` need a project that names this one in `artifacts_to`',
    schema: needs,
  },
  { name: 'dependencies', in: JOB, status: 'same', schema: flow.dependencies },
  {
    name: 'tags',
    in: BOTH,
    status: 'differs',
    note: 'a tag that names an architecture selects its queue; a tag that names a deploy target selects the target; `davit run` on one machine also runs jobs with other tags',
    schema: run.tags,
  },
  {
    name: 'rules',
    in: JOB,
    status: 'differs',
    note: '`regexp` runs on RE2; `exists:project` names a project of the installation file',
    schema: rules,
  },
  {
    name: 'only',
    in: JOB,
    status: 'differs',
    note: '`kubernetes: active` is never true: davit has no cluster',
    schema: flow.policy,
  },
  {
    name: 'except',
    in: JOB,
    status: 'differs',
    note: '`kubernetes: active` is never true: davit has no cluster',
    schema: flow.policy,
  },
  { name: 'when', in: JOB, status: 'same', schema: flow.when },
  { name: 'start_in', in: JOB, status: 'same', schema: flow.startIn },
  { name: 'allow_failure', in: JOB, status: 'same', schema: flow.allowFailure },
  {
    name: 'retry',
    in: BOTH,
    status: 'differs',
    note: 'the reasons map to failure kinds',
    schema: flow.retry,
  },
  { name: 'timeout', in: BOTH, status: 'same', schema: flow.timeout },
  {
    name: 'environment',
    in: JOB,
    status: 'differs',
    note: '`auto_stop_in` counts from deployments only; `kubernetes` is refused: davit has no cluster',
    schema: environment,
  },
  {
    name: 'resource_group',
    in: JOB,
    status: 'differs',
    note: 'its mode is set in the installation file',
    schema: flow.resourceGroup,
  },
  {
    name: 'parallel',
    in: JOB,
    status: 'differs',
    note: 'a number works for scripts and API tests, but not together with `platforms`',
    schema: parallel.parallel,
  },
  { name: 'interruptible', in: BOTH, status: 'same', schema: flow.interruptible },
  ...OWN,
  INCLUDE,
  SPEC,
  {
    name: 'cache',
    in: ALL,
    status: 'differs',
    note: 'pipelines of forks read caches and never write them',
    schema: cache,
  },
  {
    name: 'hooks',
    in: BOTH,
    status: 'differs',
    note: "runs in the job's own container, before `before_script`, when the source is already there",
    schema: run.hooks,
  },
  TRIGGER,
  { name: 'inherit', in: JOB, status: 'same', schema: inherit },
  { name: 'coverage', in: JOB, status: 'same', schema: run.coverage },
  {
    name: 'release',
    in: JOB,
    status: 'differs',
    note: 'davit creates it at the forge, after `after_script`; GitHub and Gitea do not support every field',
    schema: release,
  },
  {
    name: 'pages',
    in: ['job', 'top'],
    status: 'differs',
    note: "davit's own server serves it under `/pages/PROJECT`; pipelines of forks publish nothing",
    schema: pages,
  },
  { name: 'publish', in: JOB, status: 'same', schema: publish },
  {
    name: 'manual_confirmation',
    in: JOB,
    status: 'same',
    schema: flow.manualConfirmation,
  },
  ...REFUSED,
];

const named = (where: 'top' | 'default' | 'job'): ReadonlyMap<string, KeywordInfo> =>
  new Map(KEYWORDS.filter((keyword) => keyword.in.includes(where)).map((keyword) => [keyword.name, keyword]));
export const TOP = named('top');
export const DEFAULT = named('default');
export const JOB_KEYWORDS = named('job');

/**
 * Where each keyword of GitLab's own schema is shown to work, or that it is refused. Paths as the schema
 * nests them, without list positions; `default.`, and the keywords at the top level of older files, are those
 * of jobs; `*` is any name.
 */

/** File of `test/`, then the name of a test in it, then the paths whose effect that test shows. */
export const SHOWN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'unit/compiler/emit/specs.test.ts': {
    'a name, or a map with variables in it':
      'image image.name image.entrypoint image.docker image.docker.user image.docker.platform image.pull_policy',
    "services: names, aliases, commands and their own variables over the file's":
      'services services.name services.alias services.command services.variables',
    'before_script and script are one, after_script another': 'before_script script after_script',
    'all of it':
      'artifacts artifacts.paths artifacts.exclude artifacts.untracked artifacts.name artifacts.when artifacts.expire_in',
    'pre_get_sources_script is a script of its own': 'hooks hooks.pre_get_sources_script',
  },
  'unit/compiler/effects.test.ts': {
    'a service is made from its map':
      'services.entrypoint services.docker services.docker.user services.docker.platform services.pull_policy services.variables.*.value services.variables.*.expand',
    'an include needs files': 'include.rules.exists include.rules.exists.paths',
    'description and options of a variable do not change its value':
      'variables.*.value variables.*.description variables.*.options',
    'a rule brings needs, one of which may be absent':
      'rules.needs.job rules.needs.artifacts rules.needs.optional',
    'a rule of workflow needs changes and files':
      'workflow.rules.changes workflow.rules.changes.paths workflow.rules.changes.compare_to workflow.rules.exists workflow.rules.exists.paths workflow.rules.when workflow.rules.changes.regexp workflow.rules.exists.regexp',
  },
  'unit/compiler/reports.test.ts': {
    '%s is accepted':
      'artifacts.reports artifacts.reports.accessibility artifacts.reports.annotations artifacts.reports.browser_performance artifacts.reports.codequality artifacts.reports.container_scanning artifacts.reports.cyclonedx artifacts.reports.dast artifacts.reports.dependency_scanning artifacts.reports.license_management artifacts.reports.license_scanning artifacts.reports.load_performance artifacts.reports.lsif artifacts.reports.metrics artifacts.reports.repository_xray artifacts.reports.requirements artifacts.reports.sarif artifacts.reports.sast artifacts.reports.secret_detection artifacts.reports.terraform',
    'coverage_report has a format':
      'artifacts.reports.coverage_report artifacts.reports.coverage_report.coverage_format artifacts.reports.coverage_report.path',
    'access and public decide who may download; expose_as names it': 'artifacts.access artifacts.expose_as',
  },
  'integration/job-reports.test.ts': {
    'are stored whatever the result and `when`, junit with a summary': 'artifacts.reports.junit',
  },
  'integration/job-script.test.ts': {
    'a dotenv report sets variables of the next job': 'artifacts.reports.dotenv',
  },
  'integration/job-cache.test.ts': {
    "a later job gets the cache of an earlier one, with GitLab's messages": 'cache',
    'policy: pull never pushes, push never pulls': 'cache.policy',
    'when: a failed job keeps only caches that say so': 'cache.when',
    'protected and other refs are separate; unprotect shares; a fork writes nothing': 'cache.unprotect',
    'a changed key:files digest is a new cache': 'cache.key.files',
  },
  'unit/compiler/emit/spec-cache.test.ts': {
    'variables are replaced in key, prefix, fallback keys, paths and policy':
      'cache.key cache.key.prefix cache.fallback_keys cache.paths',
    "has GitLab's defaults": 'cache.untracked',
  },
  'unit/compiler/assemble/config.test.ts': {
    'merges maps deeply, replaces lists, and the child wins': 'extends',
    'adds the keywords that a job does not have': 'default',
    'the old form, at the top level, means the same': 'default',
  },
  'unit/compiler/assemble/reference.test.ts': { 'in scripts it is flattened, nested ones too': '!reference' },
  'unit/compiler/assemble/inherit.test.ts': { 'by extends': 'inherit inherit.default inherit.variables' },
  'unit/compiler/coverage.test.ts': {
    'takes the last match, of it the last group, of that the first number': 'coverage',
  },
  'unit/compiler/emit/environment.test.ts': {
    'on_stop and auto_stop_in reach the plan':
      'environment environment.name environment.on_stop environment.auto_stop_in environment.action',
    'deployment_tier sets it': 'environment.deployment_tier',
    'a variable of the own dotenv report stays open in the url, without a report it is empty':
      'environment.url',
  },
  'unit/compiler/rules/select.test.ts': {
    'keywords by kind of ref': 'only except',
    'the map form with refs': 'only.refs except.refs',
    'only jobs of .pre and .post': 'stage',
  },
  'unit/compiler/rules/changes.test.ts': {
    only: 'only.changes only.variables',
    except: 'except.changes except.variables',
    'there is never an active cluster': 'only.kubernetes except.kubernetes',
    'holds when a path has changed': 'rules.changes rules.changes.paths',
    'compare_to uses that ref, for every source; an unknown ref is an error': 'rules.changes.compare_to',
    'holds when a file is there, whatever the source': 'rules.exists rules.exists.paths',
    'of changes: any path that contains a match': 'rules.changes.regexp',
    'of exists, and of changes since a ref': 'rules.exists.regexp',
    'asks that project at that ref, and not the own source': 'rules.exists.project rules.exists.ref',
    'in workflow': 'workflow.rules.exists.project workflow.rules.exists.ref',
  },
  'unit/compiler/rules/rules.test.ts': {
    'the first that matches': 'rules rules.if rules.when',
    'the rule’s allow_failure overrides the job’s, exit codes too': 'rules.allow_failure',
    'delayed takes its start_in from the rule': 'rules.start_in',
    'variables, above those of the job and below those of the project': 'rules.variables',
    'needs replace those of the job': 'rules.needs',
    interruptible: 'rules.interruptible',
  },
  'unit/compiler/rules/workflow.test.ts': {
    'no rule that matches: no pipeline, and no failure': 'workflow workflow.rules workflow.rules.if',
    'its variables override those of the file, not those of jobs, and rules see them':
      'workflow.rules.variables',
    'with variables, those of the rule that matched too': 'workflow.name',
    'its own values, and those of the matched rule override them one by one':
      'workflow.auto_cancel workflow.auto_cancel.on_job_failure workflow.auto_cancel.on_new_commit workflow.rules.auto_cancel workflow.rules.auto_cancel.on_job_failure workflow.rules.auto_cancel.on_new_commit',
  },
  'unit/compiler/flow.test.ts': {
    'manual outside of rules may fail: the pipeline goes on without it': 'when allow_failure',
    'exit codes that are allowed': 'allow_failure.exit_codes',
    'delayed takes start_in': 'start_in',
    'retry as a number, a map, and not more than 2': 'retry retry.max retry.when retry.exit_codes',
    'durations in GitLab words': 'timeout',
    'what may run again when its host is lost': 'interruptible',
    'names and urls with variables': 'resource_group',
    'the rarest tag, case-sensitive': 'tags',
    'is in the plan of a manual job, with its variables replaced': 'manual_confirmation',
    'may be in lists of lists, as anchors make them': 'stages',
  },
  'unit/compiler/draft/needs.test.ts': {
    'needs: artifacts come from these only': 'needs needs.job',
    'needs: artifacts: false orders but passes no artifacts': 'needs.artifacts',
    'an optional need is left out': 'needs.optional',
    'dependencies narrow the artifacts, an empty list takes none': 'dependencies',
  },
  'unit/compiler/draft/parallel.test.ts': {
    'makes N jobs, each with its index and the total': 'parallel',
    'names are `job: [a, b]`, every combination, entry by entry': 'parallel.matrix',
    'a need with parallel:matrix waits for the one': 'needs.parallel needs.parallel.matrix',
  },
  'unit/compiler/emit/cross-pipeline-needs.test.ts': {
    'has project, job and ref, with variables, and waits for nothing': 'needs.project needs.ref',
    'accepts a number in a variable; an unset one is known only when it runs': 'needs.pipeline',
  },
  'unit/compiler/variables/variables.test.ts': {
    global: 'variables',
    '$$ is a dollar, and expand: false leaves the text alone': 'variables.*.expand',
  },
  'unit/compiler/assemble/include.test.ts': {
    'the including file wins, later includes win over earlier ones; maps are merged, lists replaced':
      'include include.local',
    'rules: if and exists': 'include.rules include.rules.if include.rules.when',
  },
};

/** What davit refuses by name: a file that uses it. A path below one of these is refused with it. */
export const REFUSED: Readonly<Record<string, string>> = {
  $schema: '$schema: x\nj: {image: x, script: x}',
  'image.kubernetes': 'j: {image: {name: x, kubernetes: {user: a}}, script: x}',
  'services.kubernetes': 'j: {image: x, script: x, services: [{name: x, kubernetes: {user: a}}]}',
  'environment.kubernetes': 'j: {image: x, script: x, environment: {name: a, kubernetes: {namespace: b}}}',
  // GitLab's own check accepts only true and false; its schema is wider.
  'rules.allow_failure.exit_codes': 'j: {image: x, script: x, rules: [{allow_failure: {exit_codes: 1}}]}',
  id_tokens: 'j: {image: x, script: x, id_tokens: {A: {aud: b}}}',
  identity: 'j: {image: x, script: x, identity: google_cloud}',
  secrets: 'j: {image: x, script: x, secrets: {A: {vault: b}}}',
  run: 'j: {image: x, run: [{name: a, script: b}]}',
  inputs: 'j: {image: x, script: x, inputs: {a: {default: b}}}',
};

/**
 * Keywords with many parts: a test of the files of that name lists each part, under the keyword's own name.
 */
export const NAMED: Readonly<Record<string, RegExp>> = {
  trigger: /trigger|child|downstream/,
  release: /release/,
  pages: /pages/,
  'cache.key.files_commits': /cache/,
  publish: /pages/,
  spec: /inputs|filling|effects/,
  'include.component': /include|component/,
  'include.inputs': /include|filling/,
  'include.project': /include/,
  'include.file': /include/,
  'include.ref': /include/,
  'include.remote': /include/,
  'include.integrity': /include/,
  'include.template': /include|template/,
  'include.rules.changes': /include/,
  'include.rules.exists.project': /include|changes/,
  'include.rules.exists.ref': /include|changes/,
  'include.rules.exists.regexp': /include|changes/,
};

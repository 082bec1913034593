/** One line for each keyword, for hints: what it takes is best seen in an example. A test compiles them. */
export const EXAMPLES: Readonly<Record<string, string>> = {
  stages: 'stages: [build, test, deploy]',
  default: 'default: { image: node:22 }',
  variables: 'variables: { NAME: value }',
  workflow: 'workflow: { rules: [{ if: $CI_COMMIT_BRANCH == "main" }] }',
  include: 'include: [{ local: ci/build.yml }]',
  image: 'image: node:22',
  services: 'services: [postgres:16]',
  before_script: 'before_script: [npm ci]',
  script: 'script: [npm test]',
  after_script: 'after_script: [./clean.sh]',
  stage: 'stage: test',
  extends: 'extends: .template',
  artifacts: 'artifacts: { paths: [dist/], expire_in: 1 week }',
  'artifacts.reports': 'artifacts: { reports: { junit: report.xml } }',
  cache: 'cache: { key: $CI_COMMIT_REF_SLUG, paths: [node_modules/] }',
  'cache.key': 'cache: { key: { files: [package-lock.json] }, paths: [node_modules/] }',
  coverage: String.raw`coverage: '/Coverage: (\d+)/'`,
  hooks: 'hooks: { pre_get_sources_script: [./before.sh] }',
  needs: 'needs: [build]',
  dependencies: 'dependencies: [build]',
  tags: 'tags: [arm64]',
  arch: 'arch: arm64',
  rules: 'rules: [{ if: $CI_COMMIT_BRANCH == "main", when: manual }]',
  'rules.changes': 'rules: [{ changes: [src/**/*] }]',
  'rules.exists': 'rules: [{ exists: [Dockerfile] }]',
  only: 'only: [main, tags]',
  except: 'except: [schedules]',
  when: 'when: manual',
  start_in: 'start_in: 30 minutes',
  allow_failure: 'allow_failure: true',
  retry: 'retry: 2',
  timeout: 'timeout: 1h 30m',
  environment: 'environment: { name: production, url: https://example.com }',
  resource_group: 'resource_group: production',
  interruptible: 'interruptible: true',
  inherit: 'inherit: { variables: false }',
  parallel: 'parallel: 3',
  'parallel.matrix': 'parallel: { matrix: [{ ARCH: [amd64, arm64] }] }',
  manual_confirmation: 'manual_confirmation: Deploy to production?',
  release: 'release: { tag_name: $CI_COMMIT_TAG, description: Notes }',
  pages: 'pages: { publish: public }',
  publish: 'publish: public',
  build: 'build: { platforms: [arm64, amd64] }',
  apitest: 'apitest: { image_from: build, port: 8080 }',
  push: 'push: { from: [build], tags: [latest] }',
  deploy: 'deploy: { swarm: { service: web, image_from: build } }',
  gate: 'gate: { approvers: [ada] }',
  trigger: 'trigger: { include: ci/child.yml }',
  spec: 'spec: { inputs: { name: { default: world } } }',
};

/** For the value that a message calls `artifacts.reports.junit` or `rules[1].if`. */
export function exampleFor(label: string): string | undefined {
  const steps = label.replaceAll(/\[\d+\]/g, '').split('.');
  for (let length = steps.length; length > 0; length -= 1) {
    const example = EXAMPLES[steps.slice(0, length).join('.')];
    if (example !== undefined) return `For example: ${example}`;
  }
  return undefined;
}

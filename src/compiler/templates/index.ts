/** The templates of `include: template`, written for davit. GitLab's own are read from its repository. */
import { didYouMean } from '../suggest.ts';

const branchPipelines = `# Pipelines of branches and tags, none of merge requests.
workflow:
  rules:
    - if: $CI_COMMIT_BRANCH
    - if: $CI_COMMIT_TAG
`;

const mergeRequestPipelines = `# Pipelines of merge requests, of tags and of the default branch: none for a branch that is only pushed.
workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
    - if: $CI_COMMIT_TAG
`;

const image = `# Builds the Dockerfile of the project, and pushes the image from the default branch and from tags.
# Change it by naming its jobs in your own file: image:build: {build: {platforms: [arm64, amd64]}}
stages: [build, test, push, deploy]
image:build:
  stage: build
  build:
    context: .
    dockerfile: Dockerfile
image:push:
  stage: push
  push:
    from: image:build
    tags: [$CI_COMMIT_REF_SLUG, $CI_COMMIT_SHORT_SHA]
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
    - if: $CI_COMMIT_TAG
`;

const deploy = `# Deploys what template Davit/Image.gitlab-ci.yml pushes to a swarm, once a person has approved.
# Name the target by a tag where there are several: image:deploy: {tags: [tablemaster]}
include:
  - template: Davit/Image.gitlab-ci.yml
image:deploy:
  stage: deploy
  environment: production
  gate: true
  deploy:
    swarm:
      service: $CI_PROJECT_NAME
      image_from: image:push
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
`;

/** Text by name. */
export const TEMPLATES: ReadonlyMap<string, string> = new Map([
  ['Davit/Image.gitlab-ci.yml', image],
  ['Davit/Swarm-Deploy.gitlab-ci.yml', deploy],
  ['Workflows/Branch-Pipelines.gitlab-ci.yml', branchPipelines],
  ['Workflows/MergeRequest-Pipelines.gitlab-ci.yml', mergeRequestPipelines],
]);

/** The hint for an unknown name. */
export function templateHint(name: string): string {
  const near = didYouMean(name, TEMPLATES.keys());
  const all = `The templates are ${[...TEMPLATES.keys()].join(', ')}.`;
  const theirs =
    "For GitLab's own templates an operator sets `includes: { templates: gitlab }` in the installation file, `davit lint` and `davit plan` take --templates gitlab, or use remote: https://gitlab.com/gitlab-org/gitlab/-/raw/TAG/lib/gitlab/ci/templates/NAME, with a TAG, and integrity to pin the content.";
  return `${near === undefined ? '' : `${near} `}${all} ${theirs}`;
}

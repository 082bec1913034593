/**
 * The one registry of coded errors. Pure, open to all. A code is stable and never reused; `docs/errors.md`
 * lists each and a test holds the two equal. Every message says what happened, where, and what to do; never a
 * stack, never a secret.
 */

/** Process exit: 1 pipeline or check failed, 2 wrong usage or input, 3 cannot reach what it needs. */
export interface ErrorSpec {
  /**
   * The same request may succeed later although nobody has changed anything: the other side did not respond,
   * or was busy. A state that a person has to correct first (a full disk, a missing secret, a refusal) is not
   * transient.
   */
  transient: boolean;
  exit: 1 | 2 | 3;
  /** HTTP status when the server answers with it. */
  http: number;
  /** One line for docs/errors.md: what it means. */
  meaning: string;
  /** What a person can do about it; for docs and as the default hint. */
  remedy: string;
}

export const ERRORS = {
  // --- general
  'internal/defect': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'davit itself has a defect.',
    remedy: 'Report it with the log of the named process.',
  },
  'usage/invalid': {
    transient: false,
    exit: 2,
    http: 400,
    meaning: 'The command or request is not valid.',
    remedy: "See the command's --help.",
  },
  'not-found': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'The project, pipeline, job or blob does not exist.',
    remedy: 'List what exists with `davit pipelines` and `davit status`.',
  },
  // --- language (src/compiler)
  'language/yaml': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'The pipeline file is not valid YAML.',
    remedy: 'Check the named place; often an indent, a tab, or a missing quote on the line before is wrong.',
  },
  'language/too-large': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'The pipeline file is larger, deeper, or expands to more than davit reads.',
    remedy: 'Keep it below 2 MiB, 100 levels and a million values.',
  },
  'language/forbidden-key': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A key is one of __proto__, constructor, prototype.',
    remedy: 'Choose another name.',
  },
  'language/duplicate-key': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A key appears twice in one map; the last one counts.',
    remedy: 'Remove one of the two.',
  },
  'language/type': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A value has the wrong type or is not one of the allowed values.',
    remedy: 'Write a value of the kind that the message names.',
  },
  'language/unknown-keyword': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'The language does not have this keyword.',
    remedy: 'Put variables under `variables`; begin the name of a template with a dot.',
  },
  'language/refused': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'davit does not support this GitLab keyword, because it has nothing to apply it to.',
    remedy: 'Remove the keyword; the message gives the reason.',
  },
  'language/no-image': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'Jobs name no image, and the installation has no default image.',
    remedy: 'Name an image in the job, under default, or as default_image in the installation file.',
  },
  'language/no-effect': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A setting has no effect here; a warning.',
    remedy: 'Remove it; the message says what davit does instead.',
  },
  'language/release-loop': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A job releases a new tag in each pipeline, also in that of its own tag; a warning.',
    remedy: 'Add `rules: [{ if: $CI_COMMIT_TAG == null }]` to the job.',
  },
  'language/conflict': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'Two keywords of one job contradict each other.',
    remedy: 'Keep one of them.',
  },
  'language/missing': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A job lacks something that it needs to run: a script, an image, a name.',
    remedy: 'Add what the message names.',
  },
  'language/input': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'An input is missing, unknown, or has a value that is not allowed.',
    remedy: 'The header of the file, spec:inputs, lists the inputs and their values.',
  },
  'language/unknown-job': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'The file refers to a job that it does not define.',
    remedy: 'Check the spelling of the job name.',
  },
  'language/absent-job': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A job needs a job that is in the file but not in this pipeline.',
    remedy: 'Mark the need as optional, or give both jobs the same conditions.',
  },
  'language/unknown-stage': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A job names a stage that `stages` does not list.',
    remedy: 'Add the stage to `stages`.',
  },
  'language/order': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A job refers to a job of a later stage.',
    remedy: 'A job can only need jobs of its own or earlier stages.',
  },
  'language/cycle': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'Jobs, extends or variables refer to each other in a cycle.',
    remedy: 'Remove one of the references in the cycle.',
  },
  'language/unknown-extends': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: '`extends` names a job that the file does not define.',
    remedy: 'Check the spelling of the name.',
  },
  'language/include': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'An include names a file that does not exist or is not a pipeline file.',
    remedy: 'Write include paths from the root of the project, ending in .yml or .yaml.',
  },
  'include/refused': {
    transient: false,
    exit: 2,
    http: 422,
    meaning:
      'An include names a project, version or address that does not exist or that this pipeline may not read.',
    remedy:
      'See `include` in docs/language.md, and `includes` in docs/installation.md for what an operator can allow.',
  },
  'include/unreachable': {
    transient: true,
    exit: 3,
    http: 502,
    meaning: 'The project or server of an include did not respond in time.',
    remedy: 'Try again; check the address and the network of the control worker.',
  },
  'include/integrity': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A file that is included by remote does not match its `integrity` hash.',
    remedy: 'Check what has changed in the file before you write the new hash.',
  },
  'include/stale': {
    transient: false,
    exit: 1,
    http: 200,
    meaning: 'A file that is included by remote could not be fetched; the copy kept by `cache` was used.',
    remedy: 'Nothing to do if its server is back soon; with `integrity` the copy is as good as the file.',
  },
  'include/timeout': {
    transient: false,
    exit: 3,
    http: 504,
    meaning: 'All includes of the pipeline together took longer than 30 s.',
    remedy: 'Include less, or from fewer places; nested includes are fetched one after the other.',
  },
  'language/extends-depth': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: '`extends` is nested deeper than eleven levels.',
    remedy: 'Extend fewer levels.',
  },
  'language/regex': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A regular expression is not valid RE2.',
    remedy: 'Correct the pattern at the place in the message.',
  },
  'language/expression': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'An expression of `rules:if` or `only:variables` is not valid.',
    remedy: 'Write it like $NAME == "text", $NAME =~ /pattern/, joined by && and ||.',
  },
  'language/unreachable': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A rule follows one that always matches, or has a condition that is never true.',
    remedy: 'Move it before that rule, or remove it.',
  },
  'language/unused': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'Nothing extends or refers to this template (a job whose name begins with a dot).',
    remedy: 'Remove it, or check the spelling where it is used.',
  },
  'language/folded': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'Several command lines are folded into one, so only the first command runs.',
    remedy: 'Write "|" instead of ">", or one list item for each command.',
  },
  'language/blocking': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A rule with `when: manual` blocks the pipeline until a person starts the job.',
    remedy:
      'Add `allow_failure: true` if the pipeline should continue, `allow_failure: false` if it should wait.',
  },
  'language/never-set': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A condition uses a variable that is never set when it is evaluated.',
    remedy: 'Use a variable that is known earlier, or decide in the script.',
  },
  'language/changed-rule': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A rule decides otherwise than in an earlier version of davit.',
    remedy: 'Compare the jobs that `davit plan --all` shows with those that are wanted.',
  },
  'language/misspelt': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A name is probably a misspelling of a known name.',
    remedy: 'Correct the spelling.',
  },
  'language/never-written': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'An artifact path is not written by any command of the job.',
    remedy: 'Correct the path, or write the file.',
  },
  'language/unknown-ref': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: '`compare_to` names a ref that the repository does not have.',
    remedy: 'Name a branch, a tag or a full commit.',
  },
  'language/path': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A path leads outside the project.',
    remedy: 'Write paths relative to the project, without "..".',
  },
  'language/secret': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A masked or secret variable is used where its value would be readable.',
    remedy: 'Use a variable that is not masked, or read the secret in a script.',
  },
  'language/target': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A deployment does not name a deploy target that the installation has.',
    remedy: 'Give the job a tag that names one of the `targets` of the installation file.',
  },
  'language/no-worker': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'No worker accepts jobs with these tags now; the job will wait.',
    remedy: 'Start a worker with these tags, or change the tags.',
  },
  // --- installation file
  'installation/invalid': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'The installation file, or the configuration of a worker, is not valid.',
    remedy: 'docs/installation.md describes every field.',
  },
  // --- engine (src/adapters/docker)
  'build/refused': {
    transient: false,
    exit: 1,
    http: 403,
    meaning: 'The worker does not build this Dockerfile.',
    remedy: 'Follow the message, or build it from a protected ref.',
  },
  'build/no-dockerfile': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'The source does not contain the Dockerfile of a build job.',
    remedy: 'Commit it, or correct `build.context` and `build.dockerfile`.',
  },
  'engine/address': {
    transient: false,
    exit: 2,
    http: 400,
    meaning: 'The address of a container engine is not valid or not safe to use.',
    remedy: 'Write unix:///PATH, tcp://HOST:PORT with certificates, or ssh://USER@HOST.',
  },
  'engine/unreachable': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'The container engine did not respond.',
    remedy: 'Start it, and check its address and the permissions of its socket: `davit doctor`.',
  },
  'engine/untrusted': {
    transient: false,
    exit: 3,
    http: 502,
    meaning: "The engine's certificate or ssh host key is not the trusted one.",
    remedy:
      'Compare the key with the one on the machine itself, then correct known_hosts or the certificates.',
  },
  'engine/replaced': {
    transient: false,
    exit: 3,
    http: 502,
    meaning: 'Another engine responds at the address than before.',
    remedy: 'Nothing to do if the machine was replaced: its worker starts again and serves the new one.',
  },
  'engine/version': {
    transient: false,
    exit: 3,
    http: 502,
    meaning: 'davit does not support the API version of this container engine.',
    remedy: 'Use Docker 20.10 to 29 or Podman 4 or later on that machine, or another version of davit.',
  },
  'engine/failed': {
    transient: false,
    exit: 1,
    http: 502,
    meaning: 'The container engine refused the request or failed; its message follows.',
    remedy: "Read the engine's message; its log has more.",
  },
  'engine/image-missing': {
    transient: false,
    exit: 1,
    http: 404,
    meaning: 'Neither the engine nor the registry has the image.',
    remedy: 'Check the name and tag, or push the image first.',
  },
  'engine/image-denied': {
    transient: false,
    exit: 1,
    http: 403,
    meaning: 'The registry does not allow this engine to pull the image.',
    remedy: 'Set registry credentials that may pull in the installation file.',
  },
  'engine/platform': {
    transient: false,
    exit: 1,
    http: 422,
    meaning: 'The image is not available for this architecture, or the engine cannot run the architecture.',
    remedy: 'Build the image for this architecture, or set up emulation: `davit doctor`.',
  },
  'engine/no-space': {
    transient: false,
    exit: 1,
    http: 507,
    meaning: 'The disk of the container engine is full.',
    remedy: 'Free space on that machine; `docker system df` shows what uses it.',
  },
  'engine/name-taken': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'A container with this name already exists.',
    remedy: 'Attach to it, or remove it first.',
  },
  'engine/firewall': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'What jobs may reach cannot be limited on the machine of this engine.',
    remedy:
      'Install nftables or iptables there. `egress: unfiltered` in worker.yml runs jobs of forks and unprotected refs all the same.',
  },
  'engine/in-use': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'The volume or network is still in use.',
    remedy: 'Remove the containers that use it first.',
  },
  'engine/container-missing': {
    transient: false,
    exit: 1,
    http: 404,
    meaning: 'The container no longer exists.',
    remedy: 'It was removed outside davit; run the job again.',
  },
  'engine/no-network': {
    transient: false,
    exit: 1,
    http: 507,
    meaning: 'The engine has no address range left for another network.',
    remedy: 'Remove unused networks, or give the engine more default-address-pools.',
  },
  'engine/build-failed': {
    transient: false,
    exit: 1,
    http: 422,
    meaning: 'A step of the Dockerfile failed.',
    remedy: 'The failed step and its last lines are shown; correct the Dockerfile.',
  },
  // --- registry
  'registry/name': {
    transient: false,
    exit: 2,
    http: 400,
    meaning: 'The image name is not valid.',
    remedy: 'Write [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST] in lower case.',
  },
  'registry/unreachable': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'The registry did not respond.',
    remedy:
      'Check that it runs, that its name resolves on the machine that calls it, and that no firewall is between: `curl -v https://REGISTRY/v2/` there. `davit doctor --fleet` shows which machines reach it.',
  },
  'registry/denied': {
    transient: false,
    exit: 1,
    http: 403,
    meaning: 'The registry denied access: the credentials are wrong or lack the named permission.',
    remedy: 'Set an account with that permission in the installation file.',
  },
  'registry/missing-manifest': {
    transient: false,
    exit: 1,
    http: 404,
    meaning: 'This repository of the registry does not contain the image.',
    remedy: 'Push it there first; an index can refer only to images of its own repository.',
  },
  'registry/failed': {
    transient: false,
    exit: 1,
    http: 502,
    meaning: 'The registry returned an unexpected response.',
    remedy: "Read the response in the message; the registry's log has more.",
  },
  // --- deploy targets
  'target/unreachable': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'The deploy target did not respond.',
    remedy: 'Check the address of the target, and that its engine runs.',
  },
  'target/not-a-manager': {
    transient: false,
    exit: 3,
    http: 409,
    meaning: 'The engine of this deploy target is not a swarm manager.',
    remedy: 'Run `docker swarm init` there, or name a manager.',
  },
  'target/refused': {
    transient: false,
    exit: 1,
    http: 422,
    meaning: 'The deploy target refused the request; its message follows.',
    remedy: 'Correct the service in the pipeline file.',
  },
  'target/missing': {
    transient: false,
    exit: 1,
    http: 404,
    meaning: 'The service does not exist on the deploy target.',
    remedy: 'Deploy it first.',
  },
  'deploy/unknown-target': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'The installation file has no deploy target of this name.',
    remedy: 'Add it to `targets`, or correct the name.',
  },
  // --- git and forges
  'source/no-file': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'The source has no pipeline file.',
    remedy: 'Commit a .davit.yml or .gitlab-ci.yml at the root of the repository, or name the file.',
  },
  'trigger/refused': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'A trigger job may not start its pipeline, or there is nothing to start.',
    remedy: 'The job gives the reason; see "Pipelines that start pipelines" in docs/language.md.',
  },
  'source/refused': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'The source or its pipeline file exceeds a limit or cannot be read.',
    remedy: 'Make it smaller; the pipeline file must be UTF-8 text of at most 1 MiB.',
  },
  'git/no-commit': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'The repository does not have this branch, tag or commit.',
    remedy: 'Check the name, and push the commit to the forge first; a force-push may have removed it.',
  },
  'git/unreachable': {
    transient: true,
    exit: 3,
    http: 502,
    meaning: 'The repository could not be reached, or the git transfer failed.',
    remedy: "Check the project's clone_url and the network of the control worker.",
  },
  'git/denied': {
    transient: false,
    exit: 3,
    http: 502,
    meaning: 'The repository rejected the credentials, or requires some.',
    remedy: 'Check clone_user and clone_token of the project in the installation file.',
  },
  'git/moved': {
    transient: false,
    exit: 3,
    http: 502,
    meaning: 'The repository has another address now: the forge redirects, and a token follows no redirect.',
    remedy: 'Put the final address into clone_url (and repository) of the project in the installation file.',
  },
  'git/lfs': {
    transient: false,
    exit: 1,
    http: 502,
    meaning:
      'An object of Git LFS could not be fetched: the forge does not give it, or it is not what its pointer says.',
    remedy:
      'Push the object with `git lfs push`, and see that LFS is on at the forge. GIT_LFS_SKIP_SMUDGE: "1" as a variable leaves the pointers.',
  },
  'git/bad-request': {
    transient: false,
    exit: 2,
    http: 400,
    meaning: 'The address, ref or SHA has a form that davit does not pass to git.',
    remedy: 'Use an https or ssh address, an ordinary branch or tag name, and a full SHA.',
  },
  'forge/refused': {
    transient: false,
    exit: 1,
    http: 502,
    meaning: 'The forge rejected a commit status, a release, or the question which refs it protects.',
    remedy:
      'Check forge_url, repository and the permissions of forge_token (commit status, releases, protected refs).',
  },
  'forge/denied': {
    transient: false,
    exit: 1,
    http: 502,
    meaning:
      'The forge refuses the token or the repository for commit statuses; davit tries again now and then.',
    remedy:
      'Check repository and forge_token: GitLab needs the scope api and the role Developer, Gitea write:repository and write access, GitHub commit statuses.',
  },
  'forge/away': {
    transient: true,
    exit: 3,
    http: 502,
    meaning: 'The forge did not respond, or returned a server error; davit tries again.',
    remedy: 'Check that the server and the control worker can reach forge_url.',
  },
  // --- blobs, logs, records
  'blob/missing': {
    transient: false,
    exit: 1,
    http: 404,
    meaning: 'The store has no blob with this digest.',
    remedy: 'It has expired or was never stored; run the job that creates it again.',
  },
  'log/fenced': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'A newer dispatch writes this log; the older one must stop.',
    remedy: 'Nothing to do: the job continues under the newer dispatch.',
  },
  'log/offset': {
    transient: false,
    exit: 1,
    http: 409,
    meaning:
      'Log bytes do not continue the stored log: there is a gap, or the bytes at the same position differ.',
    remedy: 'Report it with the log of the worker.',
  },
  'blob/digest': {
    transient: false,
    exit: 1,
    http: 502,
    meaning: 'The bytes do not match their digest.',
    remedy: 'Try again; if it happens again, check the disk and the network of the server.',
  },
  'blob/too-large': {
    transient: false,
    exit: 1,
    http: 413,
    meaning: 'The blob is larger than requested or than allowed.',
    remedy: 'Store less, or raise `limits.artifact_bytes` in the installation file.',
  },
  'store/no-space': {
    transient: false,
    exit: 1,
    http: 507,
    meaning: "The server's disk for blobs, logs and records is full.",
    remedy: 'Free space on it; davit continues without a restart.',
  },
  'store/failed': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: "The server's disk for blobs, logs and records failed.",
    remedy: 'Check the disk and the permissions of the folder in the message.',
  },
  'store/corrupt': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'A file of the store does not contain what was written to it.',
    remedy: 'Check the disk, and restore the file in the message from a backup.',
  },
  'store/in-use': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'Another server uses the same data folder.',
    remedy: 'Stop it, or give each server its own folder (DAVIT_HOME).',
  },
  'store/unreachable': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'The server that stores blobs, logs and records did not respond.',
    remedy: 'Check that the server runs and that DAVIT_SERVER is its address: `davit doctor`.',
  },
  'secret/missing': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'A secret reference does not resolve on the machine that needs it.',
    remedy: 'Set the variable, or create the file, on the machine of the worker.',
  },
  'secret/corrupt': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'Sealed bytes cannot be opened: they were changed, or sealed with another key.',
    remedy:
      'Keep former keys in the key file of the server (DAVIT_KEY_FILE) until jobs of their time have ended.',
  },
  // --- server, API, webhooks
  'auth/missing': {
    transient: false,
    exit: 2,
    http: 401,
    meaning: 'The request has no token, or an unknown one.',
    remedy:
      'Send `Authorization: Bearer TOKEN`; the CLI reads DAVIT_TOKEN or DAVIT_TOKEN_FILE, and workers read DAVIT_WORKER_TOKEN_FILE.',
  },
  'auth/expired': {
    transient: false,
    exit: 1,
    http: 401,
    meaning: 'The token of an attempt or of a worker has expired.',
    remedy:
      'For an attempt nothing is to be done: the worker asks for another one. For a worker: `davit worker token create NAME`.',
  },
  'auth/denied': {
    transient: false,
    exit: 2,
    http: 403,
    meaning: 'The role of this user does not allow the request.',
    remedy: 'Ask an operator, or change the role in `users` of the installation file.',
  },
  'auth/too-often': {
    transient: true,
    exit: 2,
    http: 429,
    meaning: 'Somebody tried too many unknown tokens from this address, or from everywhere.',
    remedy: 'Wait a minute and log in again.',
  },
  'webhook/signature': {
    transient: false,
    exit: 2,
    http: 401,
    meaning: 'The delivery is not signed with the webhook secret of a project of that forge.',
    remedy:
      "Set the secret of the project's `webhook_secret` at the forge; davit accepts no delivery without one.",
  },
  'webhook/repository': {
    transient: false,
    exit: 2,
    http: 403,
    meaning: 'The delivery is about another repository than that of its project.',
    remedy: 'Set `repository` of the project to the full name that the forge uses.',
  },
  'webhook/body': {
    transient: false,
    exit: 2,
    http: 400,
    meaning: 'The delivery is not valid JSON, or lacks a field of its event.',
    remedy: 'Set the content type of the webhook to application/json.',
  },
  'request/too-large': {
    transient: false,
    exit: 2,
    http: 413,
    meaning: 'The request body is larger than this route accepts.',
    remedy: 'Send less in one request: leave out what is not needed, or store it as an artifact.',
  },
  'request/timeout': {
    transient: false,
    exit: 2,
    http: 408,
    meaning: 'The request body did not arrive in time.',
    remedy: 'Send the request again over a faster connection.',
  },
  'server/busy': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'The server is overloaded; nothing was started.',
    remedy: 'Send the request again in a moment; a repeated event starts nothing twice.',
  },
  'server/port': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'The server cannot listen on its address.',
    remedy: 'Another program may use the port: choose another one, or 0 for a free one.',
  },
  'server/plain-http': {
    transient: false,
    exit: 2,
    http: 500,
    meaning: 'The server would listen beyond its machine without TLS.',
    remedy:
      'Give it a certificate (`tls: { cert, key }`; `davit ca` makes one), listen on 127.0.0.1 behind a proxy with TLS, or accept it for a network that you trust: `listen: { insecure: true }`.',
  },
  'tls/file': {
    transient: false,
    exit: 2,
    http: 500,
    meaning: 'A certificate, a key or an authority cannot be read or used.',
    remedy: 'Check that the named file is there, is PEM, and can be read by the user of davit.',
  },
  'tls/untrusted': {
    transient: false,
    exit: 3,
    http: 502,
    meaning: "The certificate of davit's server cannot be verified.",
    remedy:
      'Copy `ca.crt` of the server (`davit ca show`) and name it with DAVIT_CA_FILE; the address must be one that the certificate is valid for.',
  },
  'temporal/payload-key': {
    transient: false,
    exit: 2,
    http: 500,
    meaning: 'A payload in Temporal cannot be opened, or the file of its keys is not valid.',
    remedy:
      'Give every process of the installation the same DAVIT_PAYLOAD_KEY_FILE: lines of 64 hexadecimal digits. Keep former keys in it below the current one.',
  },
  'ca/exists': {
    transient: false,
    exit: 2,
    http: 409,
    meaning: "There is an authority of davit's own already.",
    remedy: 'Use it (`davit ca show`), or move its folder away: certificates that it has issued end with it.',
  },
  'ca/missing': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: "There is no authority of davit's own on this machine.",
    remedy: 'Create it with `davit ca init`, once, on the machine of the server.',
  },
  'pipeline/no-answer': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'The workflow of the pipeline or project did not respond in time.',
    remedy: 'Check that a control worker runs (`davit doctor`), then try again.',
  },
  'pipeline/ended': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'The pipeline has already ended.',
    remedy: '`davit status` shows its outcome; `davit retry` runs a job of it again.',
  },
  // --- workflows, gates
  'temporal/unreachable': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'No Temporal server responds at the address.',
    remedy:
      'Start it (`davit up` does on one machine), or set TEMPORAL_ADDRESS to where it runs. From another machine, `nc -vz HOST 7233` shows whether it is reached.',
  },
  'gate/not-an-approver': {
    transient: false,
    exit: 1,
    http: 403,
    meaning: "This user is not one of the gate's approvers.",
    remedy: 'Ask one of the approvers that `davit status` shows.',
  },
  'gate/expired': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: "The gate's deadline has passed.",
    remedy: 'Retry the job to open its gate again.',
  },
  'gate/not-ready': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'The gate is not open yet: required jobs have not succeeded.',
    remedy: 'Wait for the jobs that `davit status` lists.',
  },
  'job/not-playable': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'The job is not waiting for a person to start it.',
    remedy: '`davit status` shows its state.',
  },
  'job/not-found': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'The pipeline has no job of this name.',
    remedy: '`davit status` lists the names.',
  },
  'job/decided': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'This was already decided.',
    remedy: '`davit status` shows by whom and when.',
  },
  'decision/unproven': {
    transient: false,
    exit: 1,
    http: 403,
    meaning: 'A message that decides something was not made by the server of this installation.',
    remedy:
      'Decide with the command line or the API. If the server is older than the control worker, upgrade it.',
  },
  'job/unconfirmed': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'The job has a manual_confirmation that has not been confirmed.',
    remedy: 'Read it, and start the job with --yes, or with "confirm": true over the API.',
  },
  // --- local: setting up one machine
  'local/temp': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'The folder for temporary files does not exist, or cannot be written to.',
    remedy: 'Create it, or set TMPDIR to another one.',
  },
  'local/home': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'davit cannot use its own folder on this machine.',
    remedy: 'Give this user permission on it, free space, or set DAVIT_HOME to another folder.',
  },
  'local/already-up': {
    transient: false,
    exit: 2,
    http: 409,
    meaning: 'davit is already running for this home folder.',
    remedy: 'Use it (`davit run`), or stop it with `davit down`.',
  },
  'local/database-version': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'The database of the embedded Temporal was made by another version, and there is no migration.',
    remedy:
      'Go back to the davit version that made it and let its pipelines end, then move the file and its `.server` note away; numbers, logs and records stay. See docs/operations.md.',
  },
  'backup/failed': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'A backup of this machine could not be written or unpacked.',
    remedy:
      'The message names the file and the reason; often there is no space left. Nothing of it was kept.',
  },
  'backup/invalid': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A file is not a whole backup of davit: it was cut off, changed, or made by something else.',
    remedy: 'Use another backup; nothing was restored. `sha256sum` shows whether two copies differ.',
  },
  'local/database-in-use': {
    transient: false,
    exit: 3,
    http: 409,
    meaning: 'Another Temporal server has the database of the embedded Temporal open.',
    remedy: 'Run `davit down` where it was started, or stop that process.',
  },
  'local/not-up': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'davit is not running on this machine.',
    remedy: 'Start it with `davit up`, or set DAVIT_SERVER to the address of a server that runs elsewhere.',
  },
  'local/not-started': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'A process of davit ended, or was not ready in time.',
    remedy: 'Read its log, which the message names; `davit doctor` checks what it needs.',
  },
  'local/no-temporal': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'This machine has no Temporal server, and davit could neither download nor build one.',
    remedy: 'Install the Temporal CLI 1.5.1 or Go 1.24 or later, or set TEMPORAL_ADDRESS.',
  },
  'local/no-engine': {
    transient: false,
    exit: 3,
    http: 503,
    meaning:
      'This machine has no Docker engine that davit can use, and davit could not install or start one.',
    remedy: 'Install Docker (https://docs.docker.com/engine/install), start it, or set DOCKER_HOST.',
  },
  'local/no-registry': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'davit could neither find nor download the embedded registry.',
    remedy: 'Install `docker-registry`, or name a registry in the installation file.',
  },
  'local/no-helper': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'The helper image could neither be built nor pulled.',
    remedy: 'Install `busybox-static`, or set DAVIT_HELPER_IMAGE to a static busybox that the engine has.',
  },
  'local/no-swarm': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'The local engine is not a swarm manager, or davit may not use its swarm.',
    remedy:
      'Run `docker swarm init --advertise-addr 127.0.0.1`, leave the swarm that the engine is a worker of, or allow a swarm that davit did not make: `davit up --use-swarm`.',
  },
  // --- upgrade
  'upgrade/not-published': {
    transient: false,
    exit: 1,
    http: 404,
    meaning: 'The npm registry does not have that version of davit.',
    remedy: 'Name a package or a checkout: `davit upgrade --check --from PATH`.',
  },
  'upgrade/unreachable': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'The npm registry cannot be asked for newer versions.',
    remedy:
      'Check network and npm configuration, or use a package or checkout: `davit upgrade --check --from PATH`.',
  },
  'upgrade/unreadable': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A file or folder is not a version of davit that can be compared.',
    remedy: 'Name the archive that `npm run package` or `npm pack davit-ci` makes, or a checkout.',
  },
  // --- command line
  'cli/no-server': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'No davit server responds at the address.',
    remedy: 'Start it with `davit up`, or set DAVIT_SERVER to its address.',
  },
  'cli/no-token': {
    transient: false,
    exit: 3,
    http: 401,
    meaning: 'There is no token to send to the server.',
    remedy: 'Set DAVIT_TOKEN_FILE to a file that contains your token.',
  },
  'cli/no-git': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'git is not installed, or failed in this folder.',
    remedy: 'Install git, and check the folder with `git status`.',
  },
  'cli/bad-answer': {
    transient: false,
    exit: 1,
    http: 502,
    meaning: 'The response is not that of a davit server, or of another version of it.',
    remedy: 'Check DAVIT_SERVER, and that server and command line have the same version.',
  },
  'cli/output': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'Standard output cannot be written, for example because a disk is full.',
    remedy: 'Check where the output goes, and repeat the command.',
  },
  // --- workers
  'job/readiness': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'The tested container was not ready in time, or ended.',
    remedy: 'Its last lines are in the log of the job; check `port` and `ready`.',
  },
  'job/service': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'A service cannot be started as the file describes it.',
    remedy: 'Check its `entrypoint`, `command` and `user`: its image must have them.',
  },
  'job/variables': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'The variables of the job are larger than what the kernel passes to a program.',
    remedy: 'Put the value into a file: an artifact, or a variable of type file.',
  },
  'job/right': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'The job needs a right that its worker does not give to jobs of this ref.',
    remedy: 'Run it from a protected ref, or give the right in worker.yml: docs/installation.md lists them.',
  },
  'job/egress': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'The machine of the worker cannot limit what jobs reach.',
    remedy:
      'Install nftables or iptables on that machine: `davit doctor` says what is missing. `egress: unfiltered` in its worker.yml runs such jobs all the same.',
  },
  'job/source': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'The job sets an unsupported source checkout mode.',
    remedy: 'Change the variable in the message; docs/language.md lists the values.',
  },
  'job/artifacts': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'The files that a job leaves are too large or cannot be read.',
    remedy: 'Keep fewer files, or raise limits.artifact_bytes in the installation file.',
  },
  'archive/limit': {
    transient: false,
    exit: 1,
    http: 422,
    meaning: 'An artifact or a cache has too many entries, or unpacks to far more than its own size.',
    remedy:
      'Keep fewer or less uniform files, or raise limits.archive_entries or limits.archive_ratio in the installation file.',
  },
  'worker/scope': {
    transient: false,
    exit: 1,
    http: 403,
    meaning: 'A worker asked for something of a job that its machine must not run.',
    remedy:
      'Set the same limits in the configuration of the worker as under workers in the installation file; the job waits for another worker.',
  },
  'worker/outdated': {
    transient: false,
    exit: 3,
    http: 503,
    meaning:
      'A worker uses its own token where one of an attempt is needed: its davit is older than the server.',
    remedy: 'Upgrade the worker, or restart it if it has this version. Its jobs wait, and continue then.',
  },
  'worker/emulation': {
    transient: false,
    exit: 3,
    http: 422,
    meaning: 'The engine is to emulate an architecture, and cannot run it.',
    remedy:
      'Register emulation on that machine: `davit prepare` there, or `docker run --privileged --rm tonistiigi/binfmt --install all`.',
  },
  'worker/twin': {
    transient: false,
    exit: 3,
    http: 409,
    meaning:
      'The engine has the davit id of another machine: its disk was copied, or put back to an older state.',
    remedy:
      'Give this machine an id of its own: stop its worker, remove the volume davit-host-… of its engine (`docker volume ls -q -f name=davit-host` names it), and start the worker again.',
  },
  'worker/busy': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'The workers of the machine run jobs.',
    remedy:
      'Let them end with `davit worker drain NAME --wait`, or remove it with --force: the jobs end as lost.',
  },
  'worker/arch': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: "The engine cannot run containers of the worker's architecture.",
    remedy:
      'Give the worker an engine of that architecture, or allow emulation and set it up: `davit doctor`.',
  },
  'machine/unknown': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'No machine of this name was added here.',
    remedy: 'Add it with `davit worker add NAME`, with the same DAVIT_HOME.',
  },
  'machine/host-key': {
    transient: false,
    exit: 3,
    http: 502,
    meaning: 'The ssh host key of a machine is not known, or is not the one that was pinned.',
    remedy: 'Compare it on the machine itself, then write it behind --host-key.',
  },
  'machine/unfit': {
    transient: false,
    exit: 1,
    http: 422,
    meaning: 'A machine that was to be added fails a check, and nothing was changed.',
    remedy: 'Do what the check says, and run the command again.',
  },
  'machine/unit': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'The unit that is to keep a worker running cannot be installed or started.',
    remedy: 'Read the message of systemd; `--print` shows the files.',
  },
  'worker/no-token': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'The worker token file is missing, unreadable or too short.',
    remedy:
      'Make one with `davit worker token create NAME`, and put it into the file that DAVIT_WORKER_TOKEN_FILE names on this machine, mode 0600.',
  },
  'worker/no-server': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'A worker could not reach the server before its deadline.',
    remedy:
      'Check DAVIT_SERVER, and that the server runs and is reached from this machine (`curl -v DAVIT_SERVER/healthz`).',
  },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERRORS;

/** Whether another attempt may succeed. Errors without a code are defects: repeating them helps nobody. */
export const isTransient = (error: unknown): error is DavitError =>
  error instanceof DavitError && ERRORS[error.code].transient;

/** Where in a file: 1-based. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

/** An error that speaks to a person. `message` is what happened; `hint` overrides the registry's remedy. */
export class DavitError extends Error {
  override readonly name = 'DavitError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly place?: Place;

  constructor(
    code: ErrorCode,
    message: string,
    more: { hint?: string; place?: Place; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.hint = more.hint ?? ERRORS[code].remedy;
    this.place = more.place;
  }

  get exit(): number {
    return ERRORS[this.code].exit;
  }
  get http(): number {
    return ERRORS[this.code].http;
  }
}

/** `file:line:column`, the form editors jump to. */
export const placeText = (place: Place): string => `${place.file}:${place.line}:${place.column}`;

/** What a person sees: place, what happened, code, what to do. */
export function errorText(error: DavitError): string {
  const where = error.place ? `${placeText(error.place)} ` : '';
  return `${where}${error.message} [${error.code}]\n  ${error.hint}`;
}

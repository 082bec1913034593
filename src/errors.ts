/**
 * The one registry of coded errors. Pure, open to all. A code is stable and never reused; `docs/errors.md` lists each and a
 * test holds the two equal. Every message says what happened, where, and what to do; never a stack, never a secret.
 */

/** Process exit: 1 pipeline or check failed, 2 wrong usage or input, 3 cannot reach what it needs. */
export interface ErrorSpec {
  /**
   * The same request may succeed later although nobody has changed anything: what was asked did not respond, or was
   * busy. What a person has to mend first (a full disk, a missing secret, a refusal) is not transient.
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
    meaning: 'A defect of davit itself.',
    remedy: 'Report it with the log of the process named.',
  },
  'usage/invalid': {
    transient: false,
    exit: 2,
    http: 400,
    meaning: 'The command or request was not understood.',
    remedy: "See the command's --help.",
  },
  'not-found': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'There is no such project, pipeline, job or blob.',
    remedy: 'List what there is with `davit pipelines` and `davit status`.',
  },
  // --- language (src/compiler)
  'language/yaml': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'The pipeline file is not valid YAML.',
    remedy: 'Look at the place named; often an indent, a tab, or a missing quote on the line before.',
  },
  'language/too-large': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'The pipeline file is larger, deeper, or unfolds to more than davit reads.',
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
    meaning: 'A key stands twice in one map; the last one counts.',
    remedy: 'Remove one of the two.',
  },
  'language/type': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A value has the wrong type, or is none of those allowed.',
    remedy: 'docs/language.md shows what each keyword takes.',
  },
  'language/unknown-keyword': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'The language has no such keyword.',
    remedy: 'docs/language.md lists all keywords.',
  },
  'language/refused': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A keyword of GitLab that davit refuses, because what it needs is not there.',
    remedy: 'docs/language.md says why.',
  },
  'language/no-image': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'Jobs name no image, and the installation has none for them.',
    remedy: 'Name one in the job, under default, or as default_image in the installation file.',
  },
  'language/no-effect': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'Something is written that changes nothing here; a warning.',
    remedy: 'Take it out, or see docs/language.md for what davit does instead.',
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
    meaning: 'A job lacks what it needs to run: a script, an image, a name.',
    remedy: 'Add what the message names.',
  },
  'language/input': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'An input is missing, unknown, or has a value that it must not have.',
    remedy: 'The header of the file, spec:inputs, says what it takes.',
  },
  'language/unknown-job': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A job is named that the file does not have.',
    remedy: 'Check the spelling of the job.',
  },
  'language/absent-job': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A job needs one that is in the file, but not in this pipeline.',
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
    meaning: 'A job refers to one of a later stage.',
    remedy: 'A job can only need jobs of its own or earlier stages.',
  },
  'language/cycle': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'Jobs, extends or variables refer to each other in a circle.',
    remedy: 'Break the circle at one of its links.',
  },
  'language/unknown-extends': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: '`extends` names something the file does not have.',
    remedy: 'Check the spelling of the name.',
  },
  'language/include': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'An include names something that is not there, or is no pipeline file.',
    remedy: 'Paths of include begin at the top of the project, and end in .yml or .yaml.',
  },
  'include/refused': {
    transient: false,
    exit: 2,
    http: 422,
    meaning:
      'An include names a project, version or address that this pipeline may not read, or that is not there.',
    remedy:
      'See `include` in docs/language.md, and `includes` in docs/installation.md for what an operator allows.',
  },
  'include/unreachable': {
    transient: true,
    exit: 3,
    http: 502,
    meaning: 'The project or server of an include did not answer, or not in time.',
    remedy: 'Try again; look at the address, and at the network of the control worker.',
  },
  'include/integrity': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A file that is included by remote is not the one that its `integrity` names.',
    remedy: 'Look at what has changed in it before you write the new hash.',
  },
  'include/stale': {
    transient: false,
    exit: 1,
    http: 200,
    meaning:
      'A file that is included by remote could not be fetched, and the copy that `cache` has kept was taken.',
    remedy: 'Nothing, if its server answers again soon; with `integrity` a copy is as good as the file.',
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
    remedy: 'RE2 has no look-around and no back references.',
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
    meaning: 'A rule comes after one that always matches, or asks for what never holds.',
    remedy: 'Put it before that rule, or take it out.',
  },
  'language/unused': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A template (a job whose name begins with a dot) that nothing extends or refers to.',
    remedy: 'Take it out, or check the spelling where it is meant.',
  },
  'language/folded': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'Commands on several lines are folded into one, so that only the first runs.',
    remedy: 'Write "|" in place of ">", or an item of the list for each command.',
  },
  'language/blocking': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A rule with `when: manual` stops the pipeline until somebody plays the job.',
    remedy:
      'Add `allow_failure: true` if the pipeline may go on, `allow_failure: false` if it is meant to wait.',
  },
  'language/never-set': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A condition asks for a variable that it never sees.',
    remedy: 'docs/language.md says which variables conditions know.',
  },
  'language/misspelt': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A name is nearly one that means something, and as it is written means nothing.',
    remedy: 'Correct the spelling.',
  },
  'language/never-written': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'An artifact names a path that no command of the job writes.',
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
    meaning: 'A path leads out of the project.',
    remedy: 'Write paths relative to the project, without "..".',
  },
  'language/secret': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A masked or secret variable is used where its value would stay readable.',
    remedy: 'Use a variable that is not masked, or read the secret in a script.',
  },
  'language/target': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'A deployment names no deploy target, or one that the installation does not have.',
    remedy: 'Give the job a tag that names one of the `targets` of the installation file.',
  },
  'language/no-worker': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'No worker takes jobs with these tags at the moment; the job will wait.',
    remedy: 'Start a worker with these tags, or change the tags.',
  },
  // --- installation file
  'installation/invalid': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'The installation file, or the configuration of a worker, has a mistake.',
    remedy: 'docs/installation.md shows every field.',
  },
  // --- engine (src/adapters/docker)
  'build/no-dockerfile': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'The Dockerfile of a build job is not in the source.',
    remedy: 'Commit it, or correct `build.context` and `build.dockerfile`.',
  },
  'engine/address': {
    transient: false,
    exit: 2,
    http: 400,
    meaning: 'The address of a container engine was not understood, or is not safe to use.',
    remedy: 'Write unix:///PATH, tcp://HOST:PORT with certificates, or ssh://USER@HOST.',
  },
  'engine/unreachable': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'The container engine did not answer.',
    remedy: 'Start it, and check its address and the rights on its socket: `davit doctor`.',
  },
  'engine/untrusted': {
    transient: false,
    exit: 3,
    http: 502,
    meaning: "The engine's certificate or ssh host key is not the one that is trusted.",
    remedy: 'Compare the key with the machine itself, then correct known_hosts or the certificates.',
  },
  'engine/version': {
    transient: false,
    exit: 3,
    http: 502,
    meaning: "The container engine's API is too old or too new for davit.",
    remedy: 'Use Docker 20.10 to 29 or Podman 4 or later on that machine, or another version of davit.',
  },
  'engine/failed': {
    transient: false,
    exit: 1,
    http: 502,
    meaning: 'The container engine refused or failed; its own words follow.',
    remedy: 'Read what the engine said; its log has more.',
  },
  'engine/image-missing': {
    transient: false,
    exit: 1,
    http: 404,
    meaning: 'The image is not on the engine, or its registry does not have it.',
    remedy: 'Check name and tag, or push the image first.',
  },
  'engine/image-denied': {
    transient: false,
    exit: 1,
    http: 403,
    meaning: 'The registry does not let this engine pull the image.',
    remedy: 'Give the registry credentials in the installation file, and check that they may pull.',
  },
  'engine/platform': {
    transient: false,
    exit: 1,
    http: 422,
    meaning: 'The image does not exist for, or the engine cannot run, this architecture.',
    remedy: 'Build the image for this architecture, or set up emulation: `davit doctor`.',
  },
  'engine/no-space': {
    transient: false,
    exit: 1,
    http: 507,
    meaning: 'The disk of the container engine is full.',
    remedy: 'Free space on that machine; `docker system df` shows what takes it.',
  },
  'engine/name-taken': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'A container of that name exists already.',
    remedy: 'Attach to it, or remove it first.',
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
    meaning: 'The container is not there any more.',
    remedy: 'Somebody removed it; run the job again.',
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
    remedy: 'The step and its last lines are shown; correct the Dockerfile.',
  },
  // --- registry
  'registry/name': {
    transient: false,
    exit: 2,
    http: 400,
    meaning: 'This is no image name.',
    remedy: 'Write [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], lower case.',
  },
  'registry/unreachable': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'The registry did not answer.',
    remedy: 'Check that it runs, and that its address is one that every machine reaches: `davit doctor`.',
  },
  'registry/denied': {
    transient: false,
    exit: 1,
    http: 403,
    meaning: 'The registry refused: the credentials are wrong or lack the permission that is named.',
    remedy: 'Give an account with that permission in the installation file.',
  },
  'registry/missing-manifest': {
    transient: false,
    exit: 1,
    http: 404,
    meaning: 'The image is not in this repository of the registry.',
    remedy: 'Push it there first; an index can only name images of its own repository.',
  },
  'registry/failed': {
    transient: false,
    exit: 1,
    http: 502,
    meaning: 'The registry answered with something that it should not.',
    remedy: 'Read what it said; its log has more.',
  },
  // --- deploy targets
  'target/unreachable': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'The deploy target did not answer.',
    remedy: "Check the target's address, and that its engine runs.",
  },
  'target/not-a-manager': {
    transient: false,
    exit: 3,
    http: 409,
    meaning: 'The engine of this deploy target is no manager of a swarm.',
    remedy: 'Run `docker swarm init` there, or name a manager.',
  },
  'target/refused': {
    transient: false,
    exit: 1,
    http: 422,
    meaning: 'The deploy target refused what was asked; its own words follow.',
    remedy: 'Correct the service in the pipeline file.',
  },
  'target/missing': {
    transient: false,
    exit: 1,
    http: 404,
    meaning: 'The service is not on the deploy target.',
    remedy: 'Deploy it first.',
  },
  'deploy/unknown-target': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'No deploy target of that name is in the installation file.',
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
    remedy: 'The job says why: docs/language.md, "Pipelines that start pipelines".',
  },
  'source/refused': {
    transient: false,
    exit: 2,
    http: 422,
    meaning: 'The source, or its pipeline file, is past a limit or cannot be read.',
    remedy: 'Make it smaller; the pipeline file is UTF-8 text of at most 1 MiB.',
  },
  'git/no-commit': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'The repository has no such branch, tag or commit.',
    remedy: 'Check the name; at a forge, push the commit first: a force-push may have removed it.',
  },
  'git/unreachable': {
    transient: true,
    exit: 3,
    http: 502,
    meaning: 'The repository could not be reached, or git failed on the way.',
    remedy: "Check the project's clone_url and the network of the control worker.",
  },
  'git/denied': {
    transient: false,
    exit: 3,
    http: 502,
    meaning: 'The repository refused the credentials, or asks for some.',
    remedy: 'Check clone_user and clone_token of the project in the installation file.',
  },
  'git/bad-request': {
    transient: false,
    exit: 2,
    http: 400,
    meaning: 'The address, ref or sha is of a form that davit does not hand to git.',
    remedy: 'Use an https or ssh address, an ordinary branch or tag name and a full sha.',
  },
  'forge/refused': {
    transient: false,
    exit: 1,
    http: 502,
    meaning: 'The forge did not take a commit status or a release.',
    remedy: 'Check forge_url, repository and the rights of forge_token (commit status, releases).',
  },
  'forge/away': {
    transient: true,
    exit: 3,
    http: 502,
    meaning: 'The forge did not answer, or with an error of its own; davit tries again.',
    remedy: 'Check that the control worker reaches forge_url.',
  },
  // --- blobs, logs, records
  'blob/missing': {
    transient: false,
    exit: 1,
    http: 404,
    meaning: 'The store has no blob of this digest.',
    remedy: 'It has expired or was never stored: run the job that makes it again.',
  },
  'log/fenced': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'A newer follower writes this log; the older one has to stop.',
    remedy: 'Nothing to do: the job goes on under the newer one.',
  },
  'log/offset': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'Bytes for a log do not fit what stands there: a gap, or other bytes at the same place.',
    remedy: 'Report it with the log of the worker.',
  },
  'blob/digest': {
    transient: false,
    exit: 1,
    http: 502,
    meaning: 'Bytes do not have the digest that they go by.',
    remedy: 'Try again; if it stays, the disk or the network of the server damages data.',
  },
  'blob/too-large': {
    transient: false,
    exit: 1,
    http: 413,
    meaning: 'The blob is larger than what was asked for or may be stored.',
    remedy: 'Store less, or raise `limits.artifact_bytes` in the installation file.',
  },
  'store/no-space': {
    transient: false,
    exit: 1,
    http: 507,
    meaning: 'The disk that the server keeps blobs, logs and records on is full.',
    remedy: 'Free space on it; davit goes on by itself, nothing has to be restarted.',
  },
  'store/failed': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'The disk that the server keeps blobs, logs and records on failed.',
    remedy: 'Check the disk and the rights of the folder that the message names.',
  },
  'store/corrupt': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'A file of the store does not hold what was written to it.',
    remedy: 'Check the disk, and restore the file that the message names from a backup.',
  },
  'store/in-use': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'Another server uses the same folder of data.',
    remedy: 'Stop it, or give each server a folder of its own (DAVIT_HOME).',
  },
  'store/unreachable': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'The server that keeps blobs, logs and records did not answer.',
    remedy: 'Check that the server runs and that DAVIT_SERVER names it: `davit doctor`.',
  },
  'secret/missing': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'A secret reference names nothing on the machine that needs it.',
    remedy: 'Set the variable, or put the file where the worker runs.',
  },
  'secret/corrupt': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'Sealed bytes could not be opened: changed, or sealed under another key.',
    remedy: 'All workers need the same worker token file.',
  },
  // --- server, API, webhooks
  'auth/missing': {
    transient: false,
    exit: 2,
    http: 401,
    meaning: 'The request carries no token, or one that nobody has.',
    remedy: 'Send `Authorization: Bearer TOKEN`; the CLI reads DAVIT_TOKEN or DAVIT_TOKEN_FILE.',
  },
  'auth/denied': {
    transient: false,
    exit: 2,
    http: 403,
    meaning: 'The role of this user does not allow what was asked.',
    remedy: 'Ask an operator, or have the role changed in `users` of the installation file.',
  },
  'webhook/signature': {
    transient: false,
    exit: 2,
    http: 401,
    meaning: 'A delivery was not signed with the webhook secret of a project of that forge.',
    remedy:
      'Give the forge the secret that `webhook_secret` of the project refers to; without one nothing is taken.',
  },
  'webhook/repository': {
    transient: false,
    exit: 2,
    http: 403,
    meaning: 'A delivery is about a repository that is not the one of its project.',
    remedy: 'Set `repository` of the project to the full name that the forge uses.',
  },
  'webhook/body': {
    transient: false,
    exit: 2,
    http: 400,
    meaning: 'A delivery is no JSON, or lacks what an event of that kind has.',
    remedy: 'Set the content type of the webhook to application/json.',
  },
  'request/too-large': {
    transient: false,
    exit: 2,
    http: 413,
    meaning: 'The body of the request is larger than this route takes.',
    remedy: 'Send less at once: leave out what is not needed, or store it as an artifact.',
  },
  'request/timeout': {
    transient: false,
    exit: 2,
    http: 408,
    meaning: 'The body of the request did not arrive in time.',
    remedy: 'Send it again over a better connection.',
  },
  'server/busy': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'The server has more to do than it can take in; nothing was started.',
    remedy: 'Send it again in a moment; a repeated event starts nothing twice.',
  },
  'server/port': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'The server cannot listen on its address.',
    remedy: 'Another program may have the port: choose another one, or 0 for a free one.',
  },
  'pipeline/no-answer': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'The workflow of the pipeline or project did not answer in time.',
    remedy: 'Check that a control worker runs: `davit doctor`; then ask again.',
  },
  'pipeline/ended': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'The pipeline has ended already.',
    remedy: 'See how with `davit status`; `davit retry` runs a job of it again.',
  },
  // --- workflows, gates
  'temporal/unreachable': {
    transient: true,
    exit: 3,
    http: 503,
    meaning: 'No Temporal server answers at the address.',
    remedy: 'Start it with `davit up`, or set TEMPORAL_ADDRESS; `davit doctor` checks it.',
  },
  'gate/not-an-approver': {
    transient: false,
    exit: 1,
    http: 403,
    meaning: 'The gate names approvers, and this user is none.',
    remedy: 'Ask one of the approvers that `davit status` shows.',
  },
  'gate/expired': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: "The gate's deadline has passed.",
    remedy: 'Retry the job: its gate asks again.',
  },
  'gate/not-ready': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'The gate is not open yet: jobs it requires have not succeeded.',
    remedy: 'Wait for the jobs that `davit status` names.',
  },
  'job/not-playable': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'The job does not wait for a person.',
    remedy: 'See its state with `davit status`.',
  },
  'job/not-found': {
    transient: false,
    exit: 2,
    http: 404,
    meaning: 'The pipeline has no job of that name.',
    remedy: 'See the names with `davit status`.',
  },
  'job/decided': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'Somebody has decided already.',
    remedy: '`davit status` shows who and when.',
  },
  'job/unconfirmed': {
    transient: false,
    exit: 1,
    http: 409,
    meaning: 'The job has a manual_confirmation, and nobody has confirmed it.',
    remedy: 'Read it, and start the job with --yes, or with "confirm": true over the API.',
  },
  // --- local: setting up one machine
  'local/home': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: "davit's own folder on this machine cannot be used.",
    remedy: 'Give this user the rights on it, free space, or set DAVIT_HOME to another folder.',
  },
  'local/already-up': {
    transient: false,
    exit: 2,
    http: 409,
    meaning: 'davit runs already for this home folder.',
    remedy: 'Use it (`davit run`), or end it with `davit down`.',
  },
  'local/database-version': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: "The embedded Temporal's database was made by another version of it, which has no migration.",
    remedy:
      'Go back to the davit that made it and let its pipelines end, then move the file and its `.server` note away; numbers, logs and records stay. docs/operations.md says how.',
  },
  'local/database-in-use': {
    transient: false,
    exit: 3,
    http: 409,
    meaning: "Another Temporal server has the embedded Temporal's database open.",
    remedy: 'End it with `davit down` where it was started, or end that process.',
  },
  'local/not-up': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'davit is not running on this machine.',
    remedy: 'Start it with `davit up`, or set DAVIT_SERVER to the address of one that runs elsewhere.',
  },
  'local/not-started': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'A part of davit ended, or did not get ready in time.',
    remedy: 'Its log is named; `davit doctor` checks what it needs.',
  },
  'local/no-temporal': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'There is no Temporal server on this machine, and it could neither be fetched nor built.',
    remedy: 'Install the Temporal CLI 1.5.1 or Go 1.24 or later, or set TEMPORAL_ADDRESS.',
  },
  'local/no-engine': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'There is no Docker engine that davit can use, and it could not be installed or started.',
    remedy: 'Install Docker (https://docs.docker.com/engine/install), start it, or set DOCKER_HOST.',
  },
  'local/no-registry': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'The embedded registry can neither be found nor fetched.',
    remedy: 'Install `docker-registry`, or name a registry in the installation file.',
  },
  'local/no-helper': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'The helper image could neither be made nor pulled.',
    remedy: 'Install `busybox-static`, or set DAVIT_HELPER_IMAGE to a static busybox that the engine has.',
  },
  'local/no-swarm': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'The local engine is no swarm manager and could not be made one.',
    remedy:
      'Run `docker swarm init --advertise-addr 127.0.0.1`, or leave the swarm the engine is a worker of.',
  },
  // --- command line
  'cli/no-server': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'No davit server answers at the address.',
    remedy: 'Start it with `davit up`, or set DAVIT_SERVER to where it runs.',
  },
  'cli/no-token': {
    transient: false,
    exit: 3,
    http: 401,
    meaning: 'There is no token to show to the server.',
    remedy: 'Set DAVIT_TOKEN_FILE to a file that holds yours.',
  },
  'cli/no-git': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'git is not there, or failed on this folder.',
    remedy: 'Install git, and check the folder with `git status`.',
  },
  'cli/bad-answer': {
    transient: false,
    exit: 1,
    http: 502,
    meaning: 'What answered is not a davit server, or one of another version.',
    remedy: 'Check DAVIT_SERVER, and that server and command line are of one version.',
  },
  // --- workers
  'job/readiness': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'The container that is tested did not answer in time, or ended.',
    remedy: 'Its last lines are in the log of the job; check port and ready.',
  },
  'job/source': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'A job asks for a source in a way that there is none.',
    remedy: 'Change the variable that the message names; docs/language.md says what each can be.',
  },
  'job/artifacts': {
    transient: false,
    exit: 1,
    http: 500,
    meaning: 'The files that a job leaves behind are too large or cannot be read.',
    remedy: 'Keep fewer files, or raise limits.artifact_bytes in the installation file.',
  },
  'worker/arch': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: "The engine cannot run containers of the worker's architecture.",
    remedy:
      'Give the worker an engine of that architecture, or allow emulation and set it up: `davit doctor`.',
  },
  'worker/no-token': {
    transient: false,
    exit: 3,
    http: 500,
    meaning: 'The worker token file is missing, unreadable or too short.',
    remedy: 'Copy the worker token of the server to this machine (DAVIT_WORKER_TOKEN_FILE), mode 0600.',
  },
  'worker/no-server': {
    transient: false,
    exit: 3,
    http: 503,
    meaning: 'A worker could not reach the server before its deadline.',
    remedy: 'Check DAVIT_SERVER and that the server runs: `davit doctor`.',
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

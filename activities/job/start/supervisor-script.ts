/**
 * Role: the texts that davit puts into a job's container: the supervisor, the user's two scripts, the
 * variables.
 * Not its role: putting them there (`workspace.ts`), starting, stopping (`supervise.ts`).
 *
 * Invariants:
 *  SCRIPT-1 POSIX sh only: runs under dash, busybox and bash, as any user; needs no program but a shell to
 *           run the script. It finds its own tools before a variable of the job (PATH) can hide them.
 *  SCRIPT-2 The variables file is emptied and removed before the first line of the user's script.
 *  SCRIPT-3 before_script and script run in one shell, with errexit, and pipefail if the shell has it.
 *           after_script runs in another shell, with CI_JOB_STATUS and without the exports of the first; its
 *           result is ignored and it has 5 minutes. hooks:pre_get_sources_script runs before both; if it
 *           fails nothing else runs.
 *  SCRIPT-4 `/davit/exit` contains the script's exit code as soon as there is one, and one of these words:
 *           `stopped` if SIGTERM came first; `late` if the script's own limit (RUNNER_SCRIPT_TIMEOUT) ended
 *           it, then after_script runs; `full` if the disk is full, then the container does not exit with 0,
 *           so that the file is read. The file exists from the start, and is written in place: a full disk
 *           cannot lose the exit code.
 *           `/davit/memory` has how many processes the kernel has killed for their memory, if the script failed
 *           and it says so. It is a file of its own, because workers of earlier versions read the other one.
 *  SCRIPT-5 SIGTERM reaches every process of the container, then after_script runs with
 *           CI_JOB_STATUS=canceled, except at the job's timeout. SIGKILL, by the worker, ends all of it.
 *
 * A limit: a shell without job control starts its background with SIGINT and SIGQUIT ignored, and only bash
 * can undo that. In images without bash a script's processes ignore these two; SIGTERM works everywhere.
 */
import { quote } from '../../../src/utils/shell-quote.ts';

/** Folder of davit's own files in the container. */
export const DAVIT_DIR = '/davit';
export const SUPERVISOR = `${DAVIT_DIR}/run`;
export const EXIT_FILE = `${DAVIT_DIR}/exit`;
export const MEMORY_FILE = `${DAVIT_DIR}/memory`;
/** Initial content of the exit file: it reserves the space. */
export const EXIT_RESERVED = `${' '.repeat(63)}\n`;
export const AFTER_SCRIPT_SECONDS = 300;

const GREEN = '\\033[32;1m';
const CYAN = '\\033[36;1m';
const YELLOW = '\\033[33;1m';
const PLAIN = '\\033[0;m';

/** `build.tmp` beside the project: file variables are written there, by the user that runs the script. */
export const filesDir = (projectDir: string): string => `${projectDir}.tmp`;

export interface SupervisorOptions {
  projectDir: string;
  timeoutMs: number;
  /** Tests only: a folder other than `/davit`. */
  dir?: string;
  /** Tests only: other files than the kernel's. */
  memoryCounters?: readonly string[];
  /** RUNNER_SCRIPT_TIMEOUT; default: none. */
  scriptSeconds?: number;
  /** RUNNER_AFTER_SCRIPT_TIMEOUT; default: 5 minutes. */
  afterSeconds?: number;
  lastLine?: string; // end-mark.ts
}

/** The supervisor: process 1 of the container, or the child of the image's entrypoint. */
export function supervisorText(options: SupervisorOptions): string {
  const dir = options.dir ?? DAVIT_DIR;
  return [
    prelude(dir),
    RUN_AND_WAIT,
    readVariables(dir, options.projectDir),
    options.scriptSeconds === undefined ? NO_DOG : scriptDog(dir, options.scriptSeconds),
    runScript(dir, Math.floor(options.timeoutMs / 1_000)),
    noteMemoryKills(dir, options.memoryCounters ?? MEMORY_COUNTERS),
    runAfterScript(dir, options.afterSeconds ?? AFTER_SCRIPT_SECONDS),
    `if [ -n "$davit_rm" ]; then "$davit_rm" -rf ${quote(filesDir(options.projectDir))} 2>/dev/null; fi
${options.lastLine ?? ''}if [ -n "$davit_full" ] && [ "$davit_code" -eq 0 ]; then exit 1; fi
exit "$davit_code"
`,
  ].join('');
}

/** SCRIPT-1, SCRIPT-5. */
const prelude = (dir: string): string => `# davit: runs a job's script, then its after_script
if [ -z "$BASH_VERSION" ] && command -v bash >/dev/null 2>&1; then exec bash ${dir}/run; fi
exec 2>&1 </dev/null
davit_bash=$(command -v bash)
davit_bash=\${davit_bash:-$BASH}
davit_sh=$(command -v sh)
davit_rm=$(command -v rm)
davit_date=$(command -v date)
davit_sleep=$(command -v sleep)
davit_id=$(command -v id)
davit_git=$(command -v git)
davit_mkdir=$(command -v mkdir)
davit_began=0
if [ -n "$davit_date" ]; then davit_began=$("$davit_date" +%s); fi
davit_stopped=
davit_interrupted=0 davit_child=
davit_on_term() {
  davit_stopped=stopped
  davit_interrupted=1
  if [ "$$" -eq 1 ]; then kill -s TERM -- -1 2>/dev/null
  elif [ -n "$davit_child" ]; then kill -s TERM "$davit_child" 2>/dev/null; fi
}
trap davit_on_term TERM
`;

/**
 * A wait that a signal interrupted is repeated; a shell that has reported the status by then returns 127.
 * bash prints a message about a killed child unless it is waited for.
 */
const RUN_AND_WAIT = `davit_run() {
  if [ -n "$BASH_VERSION" ]; then (trap - INT QUIT TERM; exec "$davit_bash" "$1") &
  else "$davit_sh" "$1" & fi
  davit_child=$!
}
davit_await() {
  davit_kept=
  while :; do
    davit_interrupted=0
    wait "$davit_child"
    davit_code=$?
    if [ "$davit_interrupted" -eq 0 ]; then break; fi
    davit_kept=$davit_code
  done
  if [ "$davit_code" -eq 127 ] && [ -n "$davit_kept" ]; then davit_code=$davit_kept; fi
}
davit_quiet() { { kill -s KILL "$1"; wait "$1"; } 2>/dev/null; }
`;

/** SCRIPT-2. */
const readVariables = (dir: string, projectDir: string): string => `. ${dir}/variables
: >${dir}/variables
if [ -n "$davit_rm" ]; then "$davit_rm" -f ${dir}/variables; fi
export CI_JOB_STATUS=running
${trustProject(projectDir)}`;

/**
 * The project belongs to root: git requires any other user to trust it, in a file of the user. A user without a home (a
 * bare number) gets such a file beside the project, with what the home's own would say; git before 2.32 takes a folder
 * only.
 */
function trustProject(projectDir: string): string {
  const folder = quote(`${filesDir(projectDir)}/.config`);
  return `if [ -n "$davit_git" ] && [ "$("$davit_id" -u 2>/dev/null)" != 0 ]; then
  if ! "$davit_git" config --global --add safe.directory ${quote(projectDir)} 2>/dev/null; then
    "$davit_mkdir" -p ${folder}/git 2>/dev/null
    "$davit_git" config --file ${folder}/git/config include.path '~/.gitconfig'
    "$davit_git" config --file ${folder}/git/config safe.directory ${quote(projectDir)}
    export GIT_CONFIG_GLOBAL=${folder}/git/config
    if [ -z "$("$davit_git" config --global safe.directory 2>/dev/null)" ]; then export XDG_CONFIG_HOME=${folder}; fi
  fi
fi
`;
}

const NO_DOG = `davit_guard() { :; }
davit_unguard() { :; }
`;
/**
 * Ends every process of the script, and prints that; seen from process 1 of the container that is every
 * process but these two.
 */
const scriptDog = (dir: string, seconds: number): string => `davit_signal() {
  if [ "$$" -eq 1 ]; then kill -s "$1" -- -1; else kill -s "$1" "$davit_child"; fi
}
davit_guard() {
  (
    trap '' TERM
    "$davit_sleep" ${seconds} >/dev/null 2>&1 || exit 0
    : >${dir}/late
    printf '${YELLOW}WARNING: the script took longer than RUNNER_SCRIPT_TIMEOUT (${seconds} s) and is ended${PLAIN}\n'
    davit_signal TERM
    "$davit_sleep" 5 >/dev/null 2>&1
    davit_signal KILL
  ) 2>/dev/null &
  davit_dog=$!
}
davit_unguard() { davit_quiet "$davit_dog"; }
`;

/**
 * Number of bytes that a disk must still accept to count as not full. They are written to an existing file,
 * so that no other error is mistaken for a full disk.
 */
const PROBE_BYTES = 65_536;

/** SCRIPT-3, SCRIPT-4. */
const runScript = (dir: string, timeoutSeconds: number): string => `davit_over=
davit_code=0
if [ -f ${dir}/pre ] && [ -z "$davit_stopped" ]; then
  davit_run ${dir}/pre
  if [ -n "$davit_stopped" ]; then davit_on_term; fi
  davit_await
  if [ "$davit_code" -ne 0 ]; then davit_over=1; fi
fi
if [ -n "$davit_over" ]; then :
elif [ -z "$davit_stopped" ]; then
  davit_run ${dir}/script
  if [ -n "$davit_stopped" ]; then davit_on_term; fi
  davit_guard
  davit_await
  davit_unguard
else
  davit_code=143
fi
davit_late=
if [ -f ${dir}/late ] && [ -z "$davit_stopped" ]; then
  davit_late=late
  if [ "$davit_code" -eq 0 ]; then davit_code=143; fi
fi
davit_full=
if { : >${dir}/room && ! printf '%${PROBE_BYTES}s' '' >${dir}/room; } 2>/dev/null; then davit_full=' full'; fi
printf '%s %s%s\\n' "$davit_code" "$davit_stopped$davit_late" "$davit_full" 1<>${dir}/exit
davit_status=success
if [ "$davit_code" -ne 0 ]; then davit_status=failed; fi
if [ -n "$davit_stopped" ]; then
  davit_status=canceled
  if [ -n "$davit_date" ] && [ $(($("$davit_date" +%s) - davit_began)) -ge ${timeoutSeconds} ]; then davit_over=1; fi
fi
`;

/** `oom_kill` of the container's own group: cgroup v2, then v1. A shell alone can read it, also without memory for a program. */
const MEMORY_COUNTERS = ['/sys/fs/cgroup/memory.events', '/sys/fs/cgroup/memory/memory.oom_control'];

const noteMemoryKills = (
  dir: string,
  counters: readonly string[],
): string => `if [ "$davit_code" -ne 0 ]; then
  for davit_file in ${counters.map(quote).join(' ')}; do
    if [ -r "$davit_file" ]; then
      while read -r davit_key davit_value; do
        if [ "$davit_key" = oom_kill ] && [ "$davit_value" -gt 0 ]; then printf '%s\\n' "$davit_value" >${dir}/memory; fi
      done <"$davit_file"
    fi
  done
fi 2>/dev/null
`;

const runAfterScript = (
  dir: string,
  seconds: number,
): string => `if [ -f ${dir}/after ] && [ -z "$davit_over" ]; then
  printf '${CYAN}Running after_script${PLAIN}\\n'
  export CI_JOB_STATUS=$davit_status
  davit_result=$davit_code
  davit_run ${dir}/after
  (
    "$davit_sleep" ${seconds} >/dev/null 2>&1 || exit 0
    printf '${YELLOW}WARNING: after_script took longer than ${seconds} s and is ended${PLAIN}\\n'
    kill -s TERM "$davit_child" && "$davit_sleep" 5 >/dev/null 2>&1
    kill -s KILL "$davit_child"
  ) 2>/dev/null &
  davit_dog=$!
  davit_await
  davit_quiet "$davit_dog"
  if [ "$davit_code" -ne 0 ]; then
    printf '${YELLOW}WARNING: after_script failed (exit code %s); this does not count${PLAIN}\\n' "$davit_code"
  fi
  davit_code=$davit_result
fi
`;

/** before_script and script: each entry is printed in green, then run. */
export function scriptText(
  lines: readonly string[],
  projectDir: string,
  options: { trace?: boolean } = {},
): string {
  const head = `if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi
set -e
set +o noclobber
cd ${quote(projectDir)}
${options.trace ? 'set -x\n' : ''}`;
  return head + lines.map((line) => `${echoLine(line)}\n${line}\n`).join('');
}

/** GitLab prints the first line of a command and a note that there is more. */
function echoLine(command: string): string {
  const trimmed = command.replace(/\n+$/, '');
  const [first = '', ...more] = trimmed.split('\n');
  const shown = more.length > 0 ? `${first} # collapsed multi-line command` : first;
  return `printf '${GREEN}$ %s${PLAIN}\\n' ${quote(shown)}`;
}

/** Set by the shell itself; assigning one of them ends some shells. */
const READ_ONLY = new Set(['UID', 'EUID', 'PPID', 'BASHOPTS', 'SHELLOPTS', 'BASH_VERSINFO', 'BASH_VERSION']);
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export interface EnvVariable {
  name: string;
  value: string;
  file: boolean;
}

/** A name that a shell can export. */
export const isShellName = (name: string): boolean =>
  NAME.test(name) && !READ_ONLY.has(name) && !name.startsWith('davit_');

/**
 * The file that the supervisor reads and deletes. An environment cannot contain NUL bytes: they are removed.
 */
export function variablesText(variables: readonly EnvVariable[], projectDir: string): string {
  return variables
    .filter((variable) => isShellName(variable.name))
    .map(({ name, value, file }) => {
      const text = quote(value.replaceAll('\0', ''));
      if (!file) return `export ${name}=${text}\n`;
      const path = quote(`${filesDir(projectDir)}/${name}`);
      return `(umask 077; printf '%s' ${text} >${path})\nexport ${name}=${path}\n`;
    })
    .join('');
}

/**
 * The variables of one attempt, with their values: those that the plan could not know yet, and secrets, which
 * are resolved here and nowhere earlier. GitLab's order, lowest first: predefined, the job's file, dotenv of
 * needed jobs, then project, instance and trigger.
 */
import type { BlobStore, Credentials, JobUse, Registries, Secrets } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import { tooShortToMask } from '../../../src/masking/index.ts';
import { expandLate } from '../../../src/compiler/variables/expand.ts';
import { lateValues, type Settable } from '../../../src/compiler/variables/late-values.ts';
import type { ApitestSpec, CommonSpec, ScriptSpec, SpecVariable } from '../../../src/plan/model/spec.ts';
import type { RunInput } from '../../contract.ts';
import { useOf } from '../../runtime/spec.ts';
import { type EnvVariable, filesDir, isShellName } from './supervisor-script.ts';
import { isAboveDotenv } from '../../runtime/brought-values.ts';
import { dotenvVariables } from '../../runtime/dotenv-variables.ts';
import { readsAsFiles } from '../../../src/plan/policy/secret-files.ts';
import type { SideEnvironments } from '../sidecars/types.ts';

export interface WorkerFacts {
  hostName: string;
  hostId: string;
  tags: readonly string[];
  /** `linux/arm64` */
  platform: string;
  version: string;
}
export interface ResolvedVariables {
  variables: EnvVariable[];
  /** As a script sees them: the path for a file variable. */
  values: ReadonlyMap<string, string>;
  /** Values that a log must never show. */
  masked: string[];
  /** `NAME=value`, for a program that runs before the script; nothing secret. */
  open: string[];
  warnings: string[];
}
export interface VariableSources {
  secrets: Secrets;
  registries: Registries;
  credentials: Pick<Credentials, 'forJob'>;
  blobs: BlobStore;
  worker: WorkerFacts;
  /** Where scripts of the project clone from with CI_JOB_TOKEN, if they reach it. */
  cloneUrl?: string | undefined;
  /** What scripts that call the server verify it by. */
  authority?: { pem(): Promise<string | undefined>; server: string };
  /** Variables of the kind of job; they override all others. */
  more?: Record<string, string>;
}

/** Rejects with `secret/missing` and `blob/missing`. */
export async function resolveVariables(
  spec: CommonSpec | ScriptSpec | ApitestSpec,
  input: RunInput,
  sources: VariableSources,
): Promise<ResolvedVariables> {
  const use = useOf(spec, input);
  const [[registry, token], dotenv, own, ca] = await Promise.all([
    // The password of the registry is the same token, which is fetched once.
    sources.credentials
      .forJob(use)
      .then(async (token) => [await registryVariables(use, sources), token] as const),
    dotenvVariables(input, sources.blobs),
    Promise.all(spec.variables.map((variable) => valueOf(spec, variable, sources.secrets))),
    sources.authority?.pem(),
  ]);
  const set = new VariableSet(spec.projectDir);
  for (const [name, value] of Object.entries(predefined(spec, input, sources.worker))) set.put(name, value);
  for (const [name, value] of Object.entries(registry.variables)) set.put(name, value);
  set.masked.push(...registry.masked);
  if (token !== undefined) {
    set.put('CI_JOB_TOKEN', token);
    set.masked.push(token);
  }
  if (ca !== undefined && sources.authority) set.putAuthority(ca, sources.authority.server);
  const putOwn = (layer: boolean): void => {
    for (const [index, variable] of spec.variables.entries())
      if (isAboveDotenv(variable) === layer) set.putOwn(variable, own[index]);
  };
  putOwn(false);
  for (const [name, value] of dotenv) set.put(name, value, 'dotenv');
  putOwn(true);
  const from = cloneUrl(spec, sources.cloneUrl, token);
  if (from !== undefined) set.put('CI_REPOSITORY_URL', from);
  for (const [name, value] of Object.entries(sources.more ?? {})) set.put(name, value);
  return set.finish();
}

/** In place of the address without a token, where the pipeline has one; a fork's leads to its own repository. */
function cloneUrl(
  { fork, variables }: CommonSpec,
  url: string | undefined,
  token: string | undefined,
): string | undefined {
  const known = variables.find(({ name }) => name === 'CI_REPOSITORY_URL');
  if (fork || known?.from !== 'predefined' || url === undefined || token === undefined) return undefined;
  const to = new URL(url);
  to.username = 'gitlab-ci-token';
  to.password = token;
  return to.href;
}

/** A later `put` overrides an earlier one. */
class VariableSet {
  readonly masked: string[] = [];
  readonly #warnings: string[] = [];
  readonly #puts: Settable[] = [];
  readonly #byName = new Map<string, EnvVariable & Pick<SpecVariable, 'late' | 'masked'>>();
  /** Values of references: secret whether a log shows them or not. */
  readonly #secrets: string[] = [];
  readonly #projectDir: string;

  constructor(projectDir: string) {
    this.#projectDir = projectDir;
  }

  put(name: string, value: string, kind: Settable['kind'] = 'plain'): void {
    this.#byName.set(name, { name, value, file: false, masked: false });
    this.#puts.push({ name, text: value, kind });
  }

  /** As GitLab's runner: a file, which git in a script uses for this server and for no other host. */
  putAuthority(pem: string, server: string): void {
    const name = 'CI_SERVER_TLS_CA_FILE';
    const path = `${filesDir(this.#projectDir)}/${name}`;
    this.#byName.set(name, { name, value: pem, file: true, masked: false });
    this.#puts.push({ name, text: path, kind: 'plain' });
    this.put('GIT_CONFIG_COUNT', '1');
    this.put('GIT_CONFIG_KEY_0', `http.${new URL(server).origin}/.sslCAInfo`);
    this.put('GIT_CONFIG_VALUE_0', path);
  }

  putOwn(variable: SpecVariable, value: string | undefined): void {
    const { name, file, late, masked } = variable;
    if (value !== undefined && 'secret' in variable.value) this.#secrets.push(value);
    if (value === undefined) {
      this.#warnings.push(`${name} is a secret; pipelines of forks get no secrets.`);
      return;
    }
    this.#byName.set(name, { name, value, file, late, masked });
    const path = `${filesDir(this.#projectDir)}/${name}`;
    this.#puts.push({ name, text: file ? path : value, kind: late && !file ? 'late' : 'plain' });
  }

  /** Fills in what the plan left open, after every other value is known. */
  finish(): ResolvedVariables {
    const values = lateValues(this.#puts);
    const variables = [...this.#byName.values()].map(({ name, value, file, late, masked }) => {
      const content = late ? expandLate(value, values) : value;
      const filled = file ? content : (values.get(name) ?? content);
      if (masked && tooShortToMask(filled)) {
        if (filled !== '') this.#warnings.push(`${name} is too short to be masked.`);
      } else if (masked) this.masked.push(filled);
      return { name, value: filled, file };
    });
    const secret = [...this.masked, ...this.#secrets];
    const open = openVariables(variables, secret);
    return { variables, values, masked: this.masked, open, warnings: this.#warnings };
  }
}

/** Linux passes no longer text to a program (MAX_ARG_STRLEN, with its end); pages of 64 KiB would allow more. */
const MAX_VARIABLE_BYTES = 128 * 1024 - 1;

/** Rejects a value that would make each program of the script fail with "Argument list too long". */
export function mustFit(variables: readonly EnvVariable[]): void {
  for (const { name, value, file } of variables) {
    const bytes = Buffer.byteLength(`${name}=${value}`);
    if (file || !isShellName(name) || bytes <= MAX_VARIABLE_BYTES) continue;
    throw new DavitError(
      'job/variables',
      `The variable ${name} has ${bytes} bytes with its name; the kernel takes at most ${MAX_VARIABLE_BYTES}.`,
    );
  }
}

/** More would leave too little of what a kernel passes to a program (128 KiB a variable, 2 MiB in all). */
const MAX_OPEN_BYTES = 64 * 1024;
/** They would change how the supervisor itself is found or begins. */
const KEPT_BACK = new Set(['PATH', 'ENV', 'BASH_ENV']);

/** An engine shows a container's environment to everyone who may ask it, so what holds a secret is left out. */
function openVariables(variables: readonly EnvVariable[], secrets: readonly string[]): string[] {
  const holds = (value: string): boolean =>
    secrets.some(
      (secret) => secret !== '' && (tooShortToMask(secret) ? value === secret : value.includes(secret)),
    );
  const open = variables.flatMap(({ name, value, file }) =>
    file || KEPT_BACK.has(name) || !isShellName(name) || value.includes('\0') || holds(value)
      ? []
      : [`${name}=${value}`],
  );
  return open.filter((text) => Buffer.byteLength(text) <= MAX_OPEN_BYTES);
}

/** Undefined: a secret that this job must not have. */
async function valueOf(
  spec: CommonSpec,
  variable: SpecVariable,
  secrets: Secrets,
): Promise<string | undefined> {
  if ('literal' in variable.value) return variable.value.literal;
  return spec.fork ? undefined : secrets.resolve(variable.value.secret);
}

async function registryVariables(
  use: JobUse,
  { registries }: Pick<VariableSources, 'registries'>,
): Promise<{ variables: Record<string, string>; masked: string[] }> {
  const { host, auth } = await registries.default(use);
  if (!auth) return { variables: { CI_REGISTRY: host }, masked: [] };
  return {
    variables: { CI_REGISTRY: host, CI_REGISTRY_USER: auth.username, CI_REGISTRY_PASSWORD: auth.password },
    masked: [auth.password],
  };
}

function predefined(
  spec: CommonSpec | ScriptSpec | ApitestSpec,
  input: RunInput,
  worker: WorkerFacts,
): Record<string, string> {
  return {
    CI_JOB_ID: String(input.ref.jobId),
    ...('image' in spec && !spec.image.name.includes('$') && { CI_JOB_IMAGE: spec.image.name }),
    // Numbers that no other job has on this machine at the same time.
    CI_CONCURRENT_ID: String(input.ref.jobId),
    CI_CONCURRENT_PROJECT_ID: String(input.ref.jobId),
    CI_JOB_STARTED_AT: new Date(input.dispatchedAt).toISOString().replace(/\.\d+Z$/, 'Z'),
    CI_PROJECT_DIR: spec.projectDir,
    CI_RUNNER_ID: worker.hostId,
    CI_RUNNER_SHORT_TOKEN: worker.hostId.replaceAll('-', '').slice(0, 17),
    CI_RUNNER_DESCRIPTION: worker.hostName,
    CI_RUNNER_TAGS: worker.tags.join(','),
    CI_RUNNER_EXECUTABLE_ARCH: worker.platform,
    CI_RUNNER_VERSION: worker.version,
    ...(input.playedBy !== undefined && { CI_JOB_MANUAL: 'true', GITLAB_USER_LOGIN: input.playedBy }),
  };
}

/** `values`: the variables of the job, for what the plan left open. */
export async function sideEnvironments(
  spec: ScriptSpec | ApitestSpec,
  secrets: Secrets,
  values: ReadonlyMap<string, string>,
): Promise<SideEnvironments> {
  const masked: string[] = [];
  const environment = async (
    variables: readonly SpecVariable[],
    asFiles: readonly string[] = [],
  ): Promise<SideEnvironments['services'][number]> => {
    const env: string[] = [];
    const files: Record<string, string> = {};
    for (const variable of variables) {
      const value = await valueOf(spec, variable, secrets);
      if (value === undefined) continue;
      const filled = variable.late ? expandLate(value, values) : value;
      if (variable.masked && !tooShortToMask(filled)) masked.push(filled);
      if (asFiles.includes(variable.name)) files[variable.name] = filled;
      else env.push(`${variable.name}=${filled}`);
    }
    return { env, files };
  };
  const services: SideEnvironments['services'] = [];
  for (const service of spec.services)
    services.push(await environment(service.variables, readsAsFiles(service)));
  return { services, tested: spec.kind === 'apitest' ? (await environment(spec.env)).env : [], masked };
}

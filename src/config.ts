/**
 * The only reader of process.env; all other code receives values. Secrets come from files named here, never
 * from arguments. With the defaults, one machine works without any settings.
 */
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export interface Settings {
  /** State of this installation on this machine: Temporal's database, blobs, logs, keys, run.json. */
  home: string;
  /** Downloads and builds, shared by installations: Node, Temporal, bundles. */
  cache: string;
  /** Installation file; undefined: the default for one machine. */
  installationFile?: string;
  /** Address of the server, for workers and the CLI. */
  serverUrl?: string;
  /** API token of the CLI's user (DAVIT_TOKEN or the file DAVIT_TOKEN_FILE). */
  token?: string;
  tokenFile: string;
  /** PEM of the authority that has signed the server's certificate. */
  caFile?: string;
  /** Token of this machine's workers: its own, or the one that workers of earlier versions share. */
  workerTokenFile: string;
  /**
   * Token of the control worker, and of workers on the server's own machine. Undefined where a token of workers is
   * named.
   */
  controlTokenFile?: string;
  /** Machines with tokens of their own, beside those of the installation file; on the server. */
  workersFile?: string;
  /** Keys of the installation, one per line, 32 bytes in hex; on the server. */
  keyFile: string;
  /** Updated by a worker while it takes work, and by a server, for the health check of a container. */
  readyFile?: string;
  temporalAddress?: string;
  /** host:port of the registry that davit runs (`davit up` sets it); the installation file has precedence. */
  registry?: string;
  /** host:port of the registry that believes this server's tokens; unset: there is none. */
  ownRegistry?: string;
  /** Key and certificate of these tokens, PEM. */
  registryKeyFile: string;
  /** Files for TLS to Temporal; undefined: plain. */
  temporalTls?: TemporalTlsFiles;
  temporalApiKeyFile?: string;
  /** Keys that seal payloads in Temporal; undefined: they are not sealed. */
  payloadKeyFile?: string;
  helperImage?: string;
  temporalNamespace: string;
  /** DOCKER_HOST, else the default socket unless `locateEngine` has found another. */
  dockerHost: string;
  dockerCertPath?: string;
  /** Where an engine is looked for; undefined with DOCKER_HOST. */
  engineSources?: EngineSources;
  /** False with NO_COLOR, in CI, and on a dumb terminal. */
  color: boolean;
  logLevel: string;
  ci: boolean;
  /** Shows stacks, for work on davit itself. */
  debug: boolean;
  /** Folders of PATH, in order. */
  path: readonly string[];
}

export interface EngineSources {
  /** DOCKER_CONTEXT: instead of the current one. */
  context?: string;
  /** Docker's folder with `config.json` and `contexts`. */
  dockerFolder: string;
  /** The user's own folder. */
  userFolder: string;
  /** XDG_RUNTIME_DIR */
  runtimeFolder?: string;
  tempFolder: string;
}

export interface TemporalTlsFiles {
  /** PEM of the authority of Temporal's certificate; the well-known ones otherwise. */
  ca?: string;
  cert?: string;
  key?: string;
  /** That the certificate is valid for, if it is not the address. */
  serverName?: string;
}

export const DEFAULT_ENGINE = 'unix:///var/run/docker.sock';

/** Where server and workers find Temporal: Temporal's own default where nothing is set. */
export const temporalAddress = (settings: Pick<Settings, 'temporalAddress'>): string =>
  settings.temporalAddress ?? '127.0.0.1:7233';

/** ssh host keys of the machines that `davit worker add` has added; for their hosts it alone counts. */
export const pinnedHosts = ({ home }: Pick<Settings, 'home'>): string => join(home, 'known_hosts');

/** Reads the environment once. `ENVIRONMENT` below describes each name. */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const home = env.DAVIT_HOME ?? join(env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'davit');
  return Object.freeze({
    home,
    cache: env.DAVIT_CACHE ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'davit'),
    installationFile: env.DAVIT_CONFIG,
    serverUrl: env.DAVIT_SERVER,
    token: env.DAVIT_TOKEN,
    tokenFile: env.DAVIT_TOKEN_FILE ?? join(home, 'keys', 'cli-token'),
    caFile: env.DAVIT_CA_FILE,
    workerTokenFile: env.DAVIT_WORKER_TOKEN_FILE ?? join(home, 'keys', 'worker-token'),
    controlTokenFile:
      env.DAVIT_CONTROL_TOKEN_FILE ??
      (env.DAVIT_WORKER_TOKEN_FILE === undefined ? join(home, 'keys', 'control-token') : undefined),
    workersFile: env.DAVIT_WORKERS_FILE,
    keyFile: env.DAVIT_KEY_FILE ?? join(home, 'keys', 'installation-key'),
    readyFile: env.DAVIT_READY_FILE,
    temporalAddress: env.TEMPORAL_ADDRESS,
    temporalTls: temporalTls(env),
    temporalApiKeyFile: env.TEMPORAL_API_KEY_FILE,
    payloadKeyFile: env.DAVIT_PAYLOAD_KEY_FILE,
    registry: env.DAVIT_REGISTRY,
    ownRegistry: env.DAVIT_OWN_REGISTRY,
    registryKeyFile: env.DAVIT_REGISTRY_KEY_FILE ?? join(home, 'keys', 'registry-key.pem'),
    helperImage: env.DAVIT_HELPER_IMAGE,
    temporalNamespace: env.TEMPORAL_NAMESPACE ?? 'davit',
    dockerHost: env.DOCKER_HOST || DEFAULT_ENGINE,
    dockerCertPath: env.DOCKER_CERT_PATH,
    engineSources: env.DOCKER_HOST ? undefined : engineSources(env),
    color: env.NO_COLOR === undefined && env.CI === undefined && env.TERM !== 'dumb',
    logLevel: env.DAVIT_LOG_LEVEL ?? 'info',
    ci: env.CI !== undefined && env.CI !== 'false',
    debug: env.DAVIT_DEBUG !== undefined && env.DAVIT_DEBUG !== '',
    path: Object.freeze((env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')),
  });
}

/** A user of a container may have no account, and so no folder: then nothing of his is found there. */
function userFolder(): string {
  try {
    return homedir();
  } catch {
    return '/nonexistent';
  }
}

const engineSources = (env: NodeJS.ProcessEnv): EngineSources => ({
  context: env.DOCKER_CONTEXT || undefined,
  dockerFolder: env.DOCKER_CONFIG || join(userFolder(), '.docker'),
  userFolder: userFolder(),
  runtimeFolder: env.XDG_RUNTIME_DIR || undefined,
  tempFolder: tmpdir(),
});

/** The names are those of Temporal's own command line. */
function temporalTls(env: NodeJS.ProcessEnv): TemporalTlsFiles | undefined {
  const files: TemporalTlsFiles = {
    ca: env.TEMPORAL_TLS_SERVER_CA_CERT_PATH,
    cert: env.TEMPORAL_TLS_CLIENT_CERT_PATH,
    key: env.TEMPORAL_TLS_CLIENT_KEY_PATH,
    serverName: env.TEMPORAL_TLS_SERVER_NAME,
  };
  const isOn = env.TEMPORAL_TLS === 'true' || Object.values(files).some((value) => value !== undefined);
  return isOn && env.TEMPORAL_TLS !== 'false' ? files : undefined;
}

/** For `env:NAME` secret references, resolved where and when they are needed. */
export const readEnvSecret = (name: string): string | undefined => process.env[name];

/** Environment of a child process: that of this process with changes; undefined removes a name. */
export const childEnvironment = (change: Record<string, string | undefined>): NodeJS.ProcessEnv => ({
  ...process.env,
  ...change,
});

/** Names of variables below that are set, without their values. */
export const setVariables = (env: NodeJS.ProcessEnv = process.env): string[] =>
  ENVIRONMENT.flatMap(({ names }) => names).filter((name) => env[name] !== undefined);

/** One row of docs/environment.md. */
export interface EnvironmentVariable {
  names: readonly string[];
  /** Markdown; empty: none. */
  default: string;
  meaning: string;
}

/**
 * Everything that `readSettings` reads; a test holds the two equal. `npm run docs` writes it to
 * docs/environment.md.
 */
export const ENVIRONMENT: readonly EnvironmentVariable[] = [
  {
    names: ['DAVIT_HOME'],
    default: '`$XDG_STATE_HOME/davit`, else `~/.local/state/davit`',
    meaning:
      "State of the installation on this machine: Temporal's database, blobs, logs, registry data, keys, `run.json`.",
  },
  {
    names: ['DAVIT_CACHE'],
    default: '`$XDG_CACHE_HOME/davit`, else `~/.cache/davit`',
    meaning: 'Downloads and build results: Node, Temporal, workflow bundles.',
  },
  {
    names: ['DAVIT_CONFIG'],
    default: '`DAVIT_HOME/davit.config.yml`, if it exists',
    meaning: 'The installation file.',
  },
  {
    names: ['DAVIT_SERVER'],
    default: 'from `run.json`',
    meaning: 'Address of the server, for the command line and workers.',
  },
  { names: ['DAVIT_TOKEN'], default: '', meaning: "The token of the command line's user." },
  {
    names: ['DAVIT_TOKEN_FILE'],
    default: '`DAVIT_HOME/keys/cli-token`',
    meaning:
      "A file with this token. On the server it is the token of the machine's owner, who is an operator.",
  },
  {
    names: ['DAVIT_CA_FILE'],
    default: '`DAVIT_HOME/ca/ca.crt`, if it exists',
    meaning:
      "PEM of an authority that davit's own connections trust beside the well-known ones: that of the server's certificate.",
  },
  {
    names: ['DAVIT_WORKER_TOKEN_FILE'],
    default: '`DAVIT_HOME/keys/worker-token`',
    meaning:
      "File with the token of this machine's workers, made by `davit worker token create`. On the server: the token that workers of earlier versions share, if it exists.",
  },
  {
    names: ['DAVIT_CONTROL_TOKEN_FILE'],
    default: '`DAVIT_HOME/keys/control-token`, unless `DAVIT_WORKER_TOKEN_FILE` is set',
    meaning: "File with the token of the control worker and of workers on the server's own machine.",
  },
  {
    names: ['DAVIT_WORKERS_FILE'],
    default: '',
    meaning:
      'On the server: a file with one machine per line, as `NAME SHA256`: the name, and the hash of the token that its workers have. It is read when the server starts; limits of a machine are under `workers` of the installation file.',
  },
  {
    names: ['DAVIT_KEY_FILE'],
    default: '`DAVIT_HOME/keys/installation-key`',
    meaning:
      'On the server: the keys that seal and sign, one per line, 32 bytes in hex. The first is used; the others still open and verify. `davit key rotate` adds one.',
  },
  {
    names: ['DAVIT_REGISTRY'],
    default: 'the registry that davit runs',
    meaning: '`host:port` for `CI_REGISTRY`, if the installation file has no default registry.',
  },
  {
    names: ['DAVIT_OWN_REGISTRY'],
    default: 'the registry that davit runs',
    meaning:
      '`host:port` of the registry that is configured to believe the tokens of this server ([installation.md](installation.md#the-registry)).',
  },
  {
    names: ['DAVIT_REGISTRY_KEY_FILE'],
    default: '`DAVIT_HOME/keys/registry-key.pem`',
    meaning:
      'The key of these tokens and its certificate, in one file of PEM. The registry has the certificate.',
  },
  {
    names: ['DAVIT_HELPER_IMAGE'],
    default: '`davit/helper:1`',
    meaning: 'Image with a static busybox, for probes. Jobs can use it as `$DAVIT_HELPER_IMAGE`.',
  },
  { names: ['DAVIT_LOG_LEVEL'], default: '`info`', meaning: 'Log level of server and workers.' },
  {
    names: ['DAVIT_READY_FILE'],
    default: '',
    meaning:
      'A file that a server keeps fresh while it reaches Temporal, and a worker while it takes work and its server does, for health checks.',
  },
  { names: ['DAVIT_DEBUG'], default: '', meaning: 'Shows stacks, for work on davit itself.' },
  {
    names: ['TEMPORAL_ADDRESS'],
    default: 'davit starts a Temporal server',
    meaning: '`host:port` of a Temporal server to use instead.',
  },
  {
    names: ['TEMPORAL_NAMESPACE'],
    default: '`davit`',
    meaning: 'The Temporal namespace. It is created with 30 days of retention if it does not exist.',
  },
  {
    names: [
      'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
      'TEMPORAL_TLS_CLIENT_CERT_PATH',
      'TEMPORAL_TLS_CLIENT_KEY_PATH',
      'TEMPORAL_TLS_SERVER_NAME',
    ],
    default: 'no TLS',
    meaning:
      "TLS to Temporal, with PEM files: the authority of its certificate, davit's own certificate and key, and the name that Temporal's certificate is valid for if that is not the address.",
  },
  {
    names: ['TEMPORAL_TLS'],
    default: '',
    meaning: '`true`: TLS with the well-known authorities. `false`: none, whatever the names above say.',
  },
  { names: ['TEMPORAL_API_KEY_FILE'], default: '', meaning: 'A file with an API key for Temporal.' },
  {
    names: ['DAVIT_PAYLOAD_KEY_FILE'],
    default: 'payloads are readable',
    meaning:
      'A file with keys that seal what davit stores in Temporal: lines of 64 hexadecimal digits, the same for server, workers and command line. The first seals, all of them open; `none` as the first line seals nothing.',
  },
  {
    names: ['DOCKER_HOST'],
    default: 'the current docker context, else the first known socket that responds',
    meaning: 'The local engine ([installation.md](installation.md#the-engine-of-a-machine)).',
  },
  {
    names: ['DOCKER_CONTEXT', 'DOCKER_CONFIG'],
    default: '`currentContext` of `config.json` in `~/.docker`',
    meaning:
      "Docker's own: the context that names the local engine, and the folder of `config.json` and the contexts.",
  },
  {
    names: ['DOCKER_CERT_PATH'],
    default: '',
    meaning: 'Folder with `ca.pem`, `cert.pem` and `key.pem` for an engine at `tcp://`.',
  },
  {
    names: ['NO_COLOR', 'CI', 'TERM'],
    default: '',
    meaning: 'Turn off colours and questions, with the usual meaning.',
  },
  {
    names: ['PATH', 'XDG_STATE_HOME', 'XDG_CACHE_HOME', 'XDG_RUNTIME_DIR'],
    default: '',
    meaning: 'With the usual meaning.',
  },
];

/**
 * The only reader of process.env. Everything else is handed values. Secrets are read from files named here, never from
 * arguments. Defaults make one machine work with nothing set.
 */
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

export interface Settings {
  /** State of this installation on this machine: Temporal's database, blobs, logs, keys, run.json. */
  home: string;
  /** Downloads and builds, shared by installations: Node, Temporal, bundles. */
  cache: string;
  /** Installation file; undefined: the default for one machine. */
  installationFile?: string;
  /** Where the server answers, and where workers and the CLI find it. */
  serverUrl?: string;
  /** API token of the CLI's user (DAVIT_TOKEN or the file DAVIT_TOKEN_FILE). */
  token?: string;
  tokenFile: string;
  /** Shared secret of workers and server. */
  workerTokenFile: string;
  /** Key that seals what rests in the store and signs tokens, 32 bytes hex. */
  keyFile: string;
  /** Kept fresh by a worker as long as it takes work; for the health check of a container. */
  readyFile?: string;
  temporalAddress?: string;
  /** host:port of the registry that davit runs itself (`davit up` sets it); the installation file's default wins. */
  registry?: string;
  helperImage?: string;
  temporalNamespace: string;
  /** DOCKER_HOST, else the default socket. */
  dockerHost: string;
  dockerCertPath?: string;
  /** False in CI, with no colour or in a pipe. */
  color: boolean;
  logLevel: string;
  ci: boolean;
  /** Shows stacks; for those who work on davit. */
  debug: boolean;
  /** Folders of PATH, in order. */
  path: readonly string[];
}

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
    workerTokenFile: env.DAVIT_WORKER_TOKEN_FILE ?? join(home, 'keys', 'worker-token'),
    keyFile: env.DAVIT_KEY_FILE ?? join(home, 'keys', 'installation-key'),
    readyFile: env.DAVIT_READY_FILE,
    temporalAddress: env.TEMPORAL_ADDRESS,
    registry: env.DAVIT_REGISTRY,
    helperImage: env.DAVIT_HELPER_IMAGE,
    temporalNamespace: env.TEMPORAL_NAMESPACE ?? 'davit',
    dockerHost: env.DOCKER_HOST ?? 'unix:///var/run/docker.sock',
    dockerCertPath: env.DOCKER_CERT_PATH,
    color: env.NO_COLOR === undefined && env.CI === undefined && env.TERM !== 'dumb',
    logLevel: env.DAVIT_LOG_LEVEL ?? 'info',
    ci: env.CI !== undefined && env.CI !== 'false',
    debug: env.DAVIT_DEBUG !== undefined && env.DAVIT_DEBUG !== '',
    path: Object.freeze((env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')),
  });
}

/** For `env:NAME` secret references, resolved where and when they are needed. */
export const readEnvSecret = (name: string): string | undefined => process.env[name];

/** Environment of a child process: this one's, with some names set anew or (undefined) taken away. */
export const childEnvironment = (change: Record<string, string | undefined>): NodeJS.ProcessEnv => ({
  ...process.env,
  ...change,
});

/** One row of docs/environment.md. */
export interface EnvironmentVariable {
  names: readonly string[];
  /** Markdown; empty: none. */
  default: string;
  meaning: string;
}

/** Everything that `readSettings` reads; a test holds the two equal. `npm run docs` writes it to docs/environment.md. */
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
    meaning: 'What was downloaded or built: Node, Temporal, workflow bundles.',
  },
  {
    names: ['DAVIT_CONFIG'],
    default: '`DAVIT_HOME/davit.config.yml`, if it exists',
    meaning: 'The installation file.',
  },
  {
    names: ['DAVIT_SERVER'],
    default: 'what `run.json` says',
    meaning: 'Where the command line and workers find the server.',
  },
  { names: ['DAVIT_TOKEN'], default: '', meaning: "The token of the command line's user." },
  {
    names: ['DAVIT_TOKEN_FILE'],
    default: '`DAVIT_HOME/keys/cli-token`',
    meaning:
      "The same, from a file. On the server it is the token of the machine's owner, who is an operator.",
  },
  {
    names: ['DAVIT_WORKER_TOKEN_FILE'],
    default: '`DAVIT_HOME/keys/worker-token`',
    meaning:
      "The secret that workers and server share. Every worker needs the server's, also to open what other workers sealed in the store.",
  },
  {
    names: ['DAVIT_KEY_FILE'],
    default: '`DAVIT_HOME/keys/installation-key`',
    meaning:
      'A key of the installation, 32 bytes in hex, made with the other keys. Nothing is sealed with it yet.',
  },
  {
    names: ['DAVIT_REGISTRY'],
    default: 'the registry that davit runs',
    meaning: '`host:port` for `CI_REGISTRY`, when the installation file has no default registry.',
  },
  {
    names: ['DAVIT_HELPER_IMAGE'],
    default: '`davit/helper:1`',
    meaning: 'A static busybox for probes. Jobs use it as `$DAVIT_HELPER_IMAGE`.',
  },
  { names: ['DAVIT_LOG_LEVEL'], default: '`info`', meaning: 'Log level of server and workers.' },
  {
    names: ['DAVIT_READY_FILE'],
    default: '',
    meaning:
      'A file that a worker keeps fresh while it takes work and its server reaches Temporal. For health checks.',
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
  { names: ['DOCKER_HOST'], default: '`unix:///var/run/docker.sock`', meaning: 'The local engine.' },
  {
    names: ['DOCKER_CERT_PATH'],
    default: '',
    meaning: 'Folder with `ca.pem`, `cert.pem` and `key.pem` for an engine at `tcp://`.',
  },
  {
    names: ['NO_COLOR', 'CI', 'TERM'],
    default: '',
    meaning: 'Turn off colours and questions, with their usual meaning.',
  },
  { names: ['PATH', 'XDG_STATE_HOME', 'XDG_CACHE_HOME'], default: '', meaning: 'As everywhere.' },
];

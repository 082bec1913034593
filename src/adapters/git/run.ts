/** One git process: argv as an array, its own environment, bounded output, ended by the signal. No shell. */
import { spawn } from 'node:child_process';
import { DavitError } from '../../errors.ts';
import type { GitProtocol } from './validate.ts';

/** Bytes of output that are kept. */
export const MAX_OUTPUT = 1024 * 1024;

export interface GitWorkspace {
  /** Private temporary folder: `repo`, `gitconfig` with the credentials, HOME. */
  root: string;
  protocols: readonly GitProtocol[];
  /** PATH for git and ssh. */
  path: string;
  signal?: AbortSignal;
  /** Its credentials are in `gitconfig`. */
  authorized?: boolean;
  /** Bytes of output that are kept; `MAX_OUTPUT` by default. */
  maxOutput?: number;
}
export interface GitResult {
  code: number;
  stdout: string;
  stderr: string;
  /** Credentials were sent. */
  authorized: boolean;
}

/**
 * Settings that no repository and no machine can change: no hooks, helpers, submodules or other transports.
 */
function hardening(protocols: readonly GitProtocol[]): string[] {
  const settings = [
    'core.hooksPath=/dev/null',
    'core.fsmonitor=false',
    'core.attributesFile=/dev/null',
    'core.sshCommand=ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oConnectTimeout=20',
    'credential.helper=',
    'submodule.recurse=false',
    'fetch.recurseSubmodules=false',
    // curl would send the header to the target of a redirect.
    'http.followRedirects=false',
    'http.lowSpeedLimit=1',
    'http.lowSpeedTime=60',
    'gc.auto=0',
    'maintenance.auto=false',
    'advice.detachedHead=false',
    'protocol.allow=never',
    ...protocols.map((name) => `protocol.${name}.allow=always`),
  ];
  return settings.flatMap((setting) => ['-c', setting]);
}

/**
 * Runs git and returns the result for any exit code. Rejects with the signal's reason if it was aborted, and
 * with `git/unreachable` if git could not be started.
 */
export async function git(place: GitWorkspace, args: readonly string[]): Promise<GitResult> {
  place.signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn('git', [...hardening(place.protocols), ...args], {
      cwd: place.root,
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: place.signal,
      killSignal: 'SIGKILL',
      env: {
        PATH: place.path,
        HOME: place.root,
        LANG: 'C',
        LC_ALL: 'C',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: `${place.root}/gitconfig`,
        GIT_TERMINAL_PROMPT: '0',
        GIT_ASKPASS: '/bin/false',
        SSH_ASKPASS: '/bin/false',
        GIT_LFS_SKIP_SMUDGE: '1',
      },
    });
    const out = collect(child.stdout, place.maxOutput);
    const err = collect(child.stderr);
    child.once('error', (cause) => {
      if (place.signal?.aborted) reject(abortReason(place.signal));
      else
        reject(
          new DavitError('git/unreachable', 'git could not be started on this worker.', {
            hint: 'Install git where the control worker runs.',
            cause,
          }),
        );
    });
    child.once('close', (code) => {
      if (place.signal?.aborted) reject(abortReason(place.signal));
      else
        resolve({
          code: code ?? 128,
          stdout: out(),
          stderr: err(),
          authorized: place.authorized === true,
        });
    });
  });
}

const abortReason = (signal: AbortSignal): Error =>
  signal.reason instanceof Error ? signal.reason : new Error('aborted');

/** Keeps the first MiB; the output that davit reads is short. */
function collect(stream: NodeJS.ReadableStream, max = MAX_OUTPUT): () => string {
  const parts: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (part: Buffer) => {
    if (bytes < max) parts.push(part.subarray(0, max - bytes));
    bytes += part.length;
  });
  return () => Buffer.concat(parts).toString('utf8');
}

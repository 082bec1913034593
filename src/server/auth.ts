/**
 * Authentication by token. Tokens are compared by their SHA-256, in constant time and with all known ones, so
 * that neither the response nor its time reveals how close a guess was.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Installation } from '../installation.ts';
import type { WorkerScope } from '../match/worker-scope.ts';
import { sha256Bytes } from '../utils/sha256.ts';

export const ROLES = ['reader', 'developer', 'operator'] as const;
export type Role = (typeof ROLES)[number];
export interface User {
  name: string;
  role: Role;
  /** Holds the CLI token of the server's own machine. */
  local?: true;
}
/**
 * Who may call a route: anybody, a signed webhook, who may see a site or a page, or who has a credential for the registry
 * (these three are checked by the route), users with at least a role, or a process of davit:
 * - worker: any worker, by its own token, which proves the worker and nothing else.
 * - attempt: an attempt of a job, by its token.
 * - sealed: the same, and nobody else.
 * - control: a control worker.
 */
export type Access =
  | 'anybody'
  | 'webhook'
  | 'site'
  | 'credential'
  | 'worker'
  | 'attempt'
  | 'sealed'
  | 'control'
  | Role;

export interface Machine extends WorkerScope {
  name: string;
}
/**
 * A process that showed a worker's token. `control`: a control worker, or a worker on the server's own machine.
 * `shared`: it has the token that workers of earlier versions share, which opens what that of a control worker does.
 */
export type WorkerCaller = { tokenId: string } & (
  | { kind: 'machine'; machine: Machine }
  | { kind: 'control' | 'shared'; machine?: undefined }
);

export interface Tokens {
  user(token: string): User | undefined;
  /** The user whose token's SHA-256 is the one, as users are now. */
  find(isIt: (tokenSha256: Buffer) => boolean): User | undefined;
  /** Undefined: not the token of a worker, or one that was revoked. */
  worker(token: string): WorkerCaller | undefined;
  /** Whether the worker's token with this id counts now. */
  isLive(tokenId: string): boolean;
  /** The name of the worker's token that has ended by its own time; undefined for any other. */
  expired(token: string): string | undefined;
  /** Names of machines with tokens of their own, also ended ones. */
  machines(): string[];
  /** When a token of a worker was last shown, epoch ms; undefined: not since this process started. */
  usedAt(tokenId: string): number | undefined;
  /** Id of the token that workers of earlier versions share; undefined where there is none, or it is turned off. */
  shared(): string | undefined;
  /** The role that the user with this name has now; undefined if there is no such user. */
  roleOf(name: string): Role | undefined;
}

const TOKEN_ID_CHARS = 12;
/** Names a token by its hash; reveals nothing of it. */
export const tokenIdOf = (tokenSha256: string): string => tokenSha256.slice(0, TOKEN_ID_CHARS);

export type ListedWorker = Machine & {
  token_sha256: string;
  control?: true;
  /** It counts until then, epoch ms. */
  until?: number | undefined;
};

export interface KnownTokensOptions {
  /** A function is called at each request: rights may change while the server runs. */
  users: Installation['users'] | (() => Installation['users']);
  cliToken: string;
  /** The token that workers of earlier versions share; undefined where it does not exist, or is turned off. */
  workerToken?: string | (() => string | undefined);
  /** The token of the control worker, and of workers on the server's own machine. */
  controlToken?: string;
  workers?: readonly ListedWorker[] | (() => readonly ListedWorker[]);
  /** The user of the CLI token file of this machine, always an operator. */
  owner: string;
}

function asFunction<T>(value: T | (() => T)): () => T {
  return value instanceof Function ? value : () => value;
}

export function knownTokens(options: KnownTokensOptions): Tokens {
  const owner = {
    user: { name: options.owner, role: 'operator' as const, local: true as const },
    hash: sha256Bytes(options.cliToken),
  };
  const usersNow = asFunction(options.users);
  const workersNow = knownWorkers(options);
  const used = new Map<string, number>();
  const find = (isIt: (tokenSha256: Buffer) => boolean): User | undefined => {
    const known = [
      ...usersNow().map(({ name, role, token_sha256 }) => ({
        user: { name, role },
        hash: Buffer.from(token_sha256, 'hex'),
      })),
      owner,
    ];
    // No early exit: the time does not depend on the result of other comparisons.
    return known.filter((one) => isIt(one.hash))[0]?.user;
  };
  return {
    find,
    user(token) {
      const hash = sha256Bytes(token);
      return find((known) => timingSafeEqual(known, hash));
    },
    worker(token) {
      const hash = sha256Bytes(token);
      const found = workersNow().filter((one) => timingSafeEqual(one.hash, hash))[0];
      if (!found || hasEnded(found)) return undefined;
      used.set(found.caller.tokenId, Date.now());
      return found.caller;
    },
    expired(token) {
      const hash = sha256Bytes(token);
      const found = workersNow().filter((one) => timingSafeEqual(one.hash, hash))[0];
      return found && hasEnded(found) ? found.name : undefined;
    },
    machines: () => [...new Set(workersNow().flatMap(({ name }) => (name === undefined ? [] : [name])))],
    usedAt: (tokenId) => used.get(tokenId),
    shared: () => workersNow().find(({ caller }) => caller.kind === 'shared')?.caller.tokenId,
    isLive: (tokenId) => workersNow().some((one) => one.caller.tokenId === tokenId && !hasEnded(one)),
    roleOf: (name) =>
      name === options.owner ? 'operator' : usersNow().find((one) => one.name === name)?.role,
  };
}

interface KnownWorker {
  hash: Buffer;
  caller: WorkerCaller;
  /** The machine, for a token of one. */
  name?: string;
  until?: number | undefined;
}
const hasEnded = ({ until }: KnownWorker): boolean => until !== undefined && until <= Date.now();

function knownWorkers(options: KnownTokensOptions): () => KnownWorker[] {
  const sharedNow = asFunction<string | undefined>(options.workerToken);
  const listedNow = asFunction<readonly ListedWorker[]>(options.workers ?? []);
  const one = (kind: 'control' | 'shared', token: string | undefined) => {
    if (token === undefined) return [];
    const hash = sha256Bytes(token);
    return [{ hash, caller: { kind, tokenId: tokenIdOf(hash.toString('hex')) } }];
  };
  return () => [
    ...one('shared', sharedNow()),
    ...one('control', options.controlToken),
    ...listedNow().map(({ token_sha256, control, until, ...machine }) => ({
      hash: Buffer.from(token_sha256, 'hex'),
      name: machine.name,
      until,
      caller: {
        tokenId: tokenIdOf(token_sha256),
        ...(control ? { kind: 'control' as const } : { kind: 'machine' as const, machine }),
      },
    })),
  ];
}

export const mayAs = (role: Role, needed: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(needed);

/** The token of `Authorization: Bearer TOKEN` (RFC 6750); undefined for anything else. */
export const bearer = (header: string | undefined): string | undefined =>
  /^Bearer ([A-Za-z0-9._~+/=-]{8,8192})$/i.exec(header ?? '')?.[1];

const BASIC = /^Basic ([A-Za-z0-9+/=]{1,24576})$/i;

/** The password of `Authorization: Basic` (RFC 7617); undefined for anything else. */
export function basicPassword(header: string | undefined): string | undefined {
  const basic = BASIC.exec(header ?? '')?.[1];
  if (basic === undefined) return undefined;
  const [, ...password] = Buffer.from(basic, 'base64').toString('utf8').split(':');
  return password.join(':');
}

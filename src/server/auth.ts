/**
 * Authentication by token. Tokens are compared by their SHA-256, in constant time and with all known ones, so
 * that neither the response nor its time reveals how close a guess was.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Installation } from '../installation.ts';
import type { Machine } from './machine-rules.ts';
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
 * Who may call a route: anybody, a signed webhook or a user of a site (both checked by the route), a worker,
 * or users with at least a role.
 */
export type Access = 'anybody' | 'webhook' | 'site' | 'worker' | Role;

export interface Tokens {
  user(token: string): User | undefined;
  /** Undefined: not the token of a worker. `machine`: the one whose own token it is. */
  worker(token: string): { machine?: Machine } | undefined;
  /** The role that the user with this name has now; undefined if there is no such user. */
  roleOf(name: string): Role | undefined;
}

/** `owner`: the user of the CLI token file of this machine, always an operator. */
export function knownTokens(options: {
  /** A function is called at each request: rights may change while the server runs. */
  users: Installation['users'] | (() => Installation['users']);
  cliToken: string;
  workerToken: string;
  workers?: Installation['workers'];
  owner: string;
}): Tokens {
  const owner = {
    user: { name: options.owner, role: 'operator' as const, local: true as const },
    hash: sha256Bytes(options.cliToken),
  };
  const { users: listed } = options;
  const usersNow = typeof listed === 'function' ? listed : () => listed;
  const worker = sha256Bytes(options.workerToken);
  const machines = (options.workers ?? []).map(({ token_sha256, ...machine }) => ({
    machine,
    hash: Buffer.from(token_sha256, 'hex'),
  }));
  return {
    user(token) {
      const hash = sha256Bytes(token);
      const known = [
        ...usersNow().map(({ name, role, token_sha256 }) => ({
          user: { name, role },
          hash: Buffer.from(token_sha256, 'hex'),
        })),
        owner,
      ];
      // No early exit: the time does not depend on the result of other comparisons.
      const found = known.filter((one) => timingSafeEqual(one.hash, hash));
      return found[0]?.user;
    },
    worker(token) {
      const hash = sha256Bytes(token);
      const own = machines.filter((one) => timingSafeEqual(one.hash, hash))[0];
      return timingSafeEqual(worker, hash) ? {} : own && { machine: own.machine };
    },
    roleOf: (name) =>
      name === options.owner ? 'operator' : usersNow().find((one) => one.name === name)?.role,
  };
}

export const mayAs = (role: Role, needed: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(needed);

/** The token of `Authorization: Bearer TOKEN` (RFC 6750); undefined for anything else. */
export const bearer = (header: string | undefined): string | undefined =>
  /^Bearer ([A-Za-z0-9._~+/=-]{8,512})$/i.exec(header ?? '')?.[1];

/** The password of `Authorization: Basic …` (RFC 7617); undefined for anything else. */
export function passwordOf(header: string | undefined): string | undefined {
  const basic = /^Basic ([A-Za-z0-9+/=]{1,1024})$/i.exec(header ?? '')?.[1];
  return basic && Buffer.from(basic, 'base64').toString('utf8').split(':').slice(1).join(':');
}

/** The audit trail: who asked the server to change or decide something, from where, and with which result. */

/**
 * `people`: what users and forges did. `workers`: what workers wrote. `refused`: what the server refused. Each
 * has files of its own, so that none of them pushes out another.
 */
export const AUDIT_KINDS = ['people', 'workers', 'refused'] as const;
export type AuditKind = (typeof AUDIT_KINDS)[number];

/** `target`: by a deploy token. `nobody`: without a token, with an unknown one, or with a wrong signature. */
export const AUDIT_ACTORS = ['user', 'job', 'worker', 'target', 'forge', 'nobody', 'server'] as const;

export interface AuditActor {
  kind: (typeof AUDIT_ACTORS)[number];
  name?: string;
  /** At the time of the request. */
  role?: string;
}

export interface AuditEntry {
  /** ISO 8601 in UTC. */
  at: string;
  kind: AuditKind;
  actor: AuditActor;
  /** Address that the request came from. */
  from?: string;
  /** `pipeline.start`; for a refused read, `read`. */
  action: string;
  outcome: 'done' | 'refused' | 'failed';
  /** Method and pattern of the route. */
  route?: string;
  status?: number;
  /** Code of the error. */
  code?: string;
  /** What it was about: names and numbers, never a value that could be secret. */
  about: Record<string, string | number | boolean>;
  /** Equal requests since the entry before; absent: one. */
  times?: number;
}

/** A response to `GET /api/v1/audit`. */
export interface AuditPage {
  /** Oldest first. */
  entries: AuditEntry[];
  /** Entries that could not be stored since the server's start. */
  lost: number;
}

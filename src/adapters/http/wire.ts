/**
 * The protocol between workers and server under /internal/v1: paths, bodies and responses. Pure. Names are in
 * bodies, not in paths, so that no path has to be decoded; bytes are sent as they are.
 *
 *   PUT  blobs                                         bytes; returns { digest, bytes }
 *   GET  blobs/:digest                                 bytes; HEAD: whether it is there
 *   POST records/{put-if-absent|put|get|list|allocate}
 *   POST logs/{open|append|end|state|read}             append: frame (JSON line, then bytes); read: bytes, state in a header
 *   POST workers                                       WorkerReport; returns FleetAnswer
 *   POST workers/leave                                 { id }
 *   GET  workers                                       WorkerReport[]
 *   GET  facts                                         InstallationFacts
 *   GET  protection/:slug                              ForgeProtection
 *   POST approvals                                     ApprovalQuestion; returns ApprovalAnswer
 *   POST changes                                       { changes: Change[] }
 *   POST attempts                                      returns the token of an attempt
 *   POST proofs                                        { message }; returns { proof }
 *   POST credentials/{job|target|pull}                 returns { token }
 *   POST {seal|unseal}                                 bytes; returns bytes
 */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import type { Message } from '../../plan/model/message.ts';
import type { PatternSyntax } from '../../match/forge-refs.ts';
import { isSlug, parsePipelineId, type PipelineId } from '../../plan/model/ids.ts';
import { leaveBody, reportBody } from './fleet-wire.ts';

export const INTERNAL = '/internal/v1';
/** Header of a logs/read response: JSON of a LogState. */
export const LOG_STATE_HEADER = 'x-davit-log-state';
export const FRAME_TYPE = 'application/x-davit-frame';
export const BYTES_TYPE = 'application/octet-stream';
const MAX_HEAD = 8_192;
/** In one call. */
export const MAX_CHANGES = 100;

/** Signed as it is: the workflow reads it by the same types. */
const isMessage = (value: unknown): boolean => {
  const { success, data } = z
    .looseObject({ kind: z.string(), trigger: z.looseObject({ project: z.string() }).optional() })
    .safeParse(value);
  const decision = z.object({ pipeline, decision: z.looseObject({ job: z.string() }) });
  return success && (data.trigger !== undefined || decision.safeParse(value).success);
};

const count = z.number().int().min(0);
const pipeline = z
  .string()
  .max(200)
  .refine((text): text is PipelineId => parsePipelineId(text) !== undefined, 'a pipeline is SLUG/IID');
export const logRef = z.object({ pipeline, job: z.string().min(1).max(1_024), attempt: count.min(1) });
export const checkpoint = z.object({
  engineTime: z.string().max(100),
  recordsAtTime: count,
  offset: count,
});
const summary = z.object({ bytes: count, crc: z.string().max(16), complete: z.boolean() });
const name = z.string().max(1_024);

const person = z.string().max(1_024);
const approvers = z.array(person).max(1_000);
const gate = z.object({
  approvers,
  expiresInMs: z.number(),
  requires: z.array(z.string()),
  protection: z
    .object({
      approvals: z.array(z.object({ approvers, count })).max(1_000),
      notBy: approvers.optional(),
      written: z.literal(true).optional(),
    })
    .optional(),
});
const approvalQuestion = z.object({
  project: z.string(),
  job: z.string(),
  environment: z.string().optional(),
  startedBy: z.string(),
  startedBefore: approvers.optional(),
  ref: z.string(),
  protectedRef: z.boolean().optional(),
  fork: z.boolean(),
  local: z.boolean().optional(),
  target: z.string().optional(),
  gate,
  approvals: z
    .array(
      z.object({
        actor: person,
        role: z.enum(['reader', 'developer', 'operator', 'temporal']),
        target: z.string().optional(),
      }),
    )
    .max(1_000),
});
/** Checked by the server that sends it. */
export const approvalAnswer = z.discriminatedUnion('verdict', [
  z.object({ verdict: z.literal('stands'), target: z.string().optional() }),
  z.object({ verdict: z.literal('ask'), reason: z.string(), gate }),
  z.object({ verdict: z.literal('refused'), reason: z.string() }),
]);

/** A syntax of a newer server is kept: its patterns count as unreadable. */
const refPattern = z.object({
  written: z.string(),
  syntax: z.string().transform((text) => text as PatternSyntax),
  get except() {
    return z.array(refPattern).optional();
  },
});
export const credentialAnswer = z.object({ token: z.string().min(16) });
export const protectionAnswer = z.object({
  value: z.object({ branches: z.array(refPattern), tags: z.array(refPattern) }).optional(),
});

export const BODIES = {
  putRecord: z.object({ name, value: z.unknown() }),
  getRecord: z.object({ name }),
  listRecords: z.object({ prefix: name, limit: count.max(10_000) }),
  allocate: z.object({ counter: name, claim: z.string().max(1_024), count: count.min(1) }),
  openLog: z.object({ ref: logRef, epoch: count }),
  appendLog: z.object({
    ref: logRef,
    epoch: count,
    offset: count,
    checkpoint: checkpoint.optional(),
    end: z.object({ complete: z.boolean() }).optional(),
  }),
  endLog: z.object({ ref: logRef, epoch: count, summary }),
  stateOfLog: z.object({ ref: logRef }),
  readLog: z.object({ ref: logRef, offset: count, limit: count }),
  approvals: approvalQuestion,
  jobCredential: z.object({
    job: z.object({
      project: z.string().refine(isSlug, 'not a project'),
      protectedRef: z.boolean(),
      fork: z.boolean(),
      local: z.boolean().optional(),
    }),
    attempt: logRef,
    writes: z.array(name).max(16).optional(),
    forMs: count,
  }),
  pullCredential: z.object({ repository: name }),
  targetCredential: z.object({
    project: z.string().refine(isSlug, 'not a project'),
    target: name,
    repository: name,
  }),
  attempt: z.object({
    ref: logRef.extend({ epoch: count }),
    activity: z.string().min(1).max(2_048),
    run: z.string().min(1).max(128),
    identity: z.string().max(2_048),
    /** The token that is to be renewed. */
    former: z.string().max(8_192).optional(),
  }),
  proof: z.object({ message: z.custom<Message>(isMessage) }),
  report: reportBody,
  leave: leaveBody,
  changes: z.object({
    changes: z
      .array(
        z.union([
          z.object({ pipeline, over: z.boolean() }),
          z.object({ project: z.string().refine(isSlug, 'not a project'), key: name }),
        ]),
      )
      .max(MAX_CHANGES),
  }),
} as const;

export type BodyOf<Name extends keyof typeof BODIES> = z.output<(typeof BODIES)[Name]>;
export const proofAnswer = z.object({
  proof: z.object({ key: z.string(), signature: z.string(), turn: z.number(), attempt: z.number() }),
});
export const attemptAnswer = z.object({ token: z.string(), expiresInMs: z.number() });

export const logState = z.object({
  offset: count,
  crc: count,
  epoch: count,
  checkpoint: checkpoint.optional(),
  ended: summary.optional(),
  incomplete: z.boolean(),
});
/** A record that does not exist has no `value`. */
export const recordAnswer = z.object({ value: z.unknown().optional() });

/** One line of JSON, then bytes. */
export function encodeFrame(head: unknown, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes]);
}
export function decodeFrame(frame: Buffer): { head: unknown; bytes: Buffer } {
  const end = frame.subarray(0, MAX_HEAD).indexOf(0x0a);
  if (end < 0) throw new DavitError('usage/invalid', 'The frame has no header.');
  const head: unknown = JSON.parse(frame.subarray(0, end).toString('utf8'));
  return { head, bytes: frame.subarray(end + 1) };
}

/** What a worker reports, checked and bounded: everything in it is shown to people. Pure. */
import { z } from 'zod';
import type { FleetAnswer } from '../../plan/model/fleet.ts';
import { ARCHES } from '../../plan/model/ids.ts';

const count = z.number().int().min(0);
const word = z.string().max(256);
const text = z.string().max(2_048);
const words = z.array(word).max(256);
const arches = z.array(z.enum(ARCHES)).max(8);
const time = z.number().min(0);

const trouble = z.object({ code: word.optional(), message: text, hint: text.optional() });
const space = z.object({ freeBytes: count, totalBytes: count });

const engine = z.object({
  id: word,
  address: word,
  kind: z.enum(['docker', 'podman']),
  version: word,
  api: word.optional(),
  store: z.enum(['classic', 'containerd']).optional(),
  os: word.optional(),
  arch: z.enum(ARCHES),
  machine: word.optional(),
  runtime: word.optional(),
  swarm: z.enum(['inactive', 'manager', 'worker']).optional(),
});
const checks = z.object({
  at: time,
  clockOffsetMs: z.number().optional(),
  disk: space.optional(),
  temp: space.optional(),
  registries: z
    .array(z.object({ host: word, problem: trouble.optional() }))
    .max(64)
    .optional(),
  cannotRun: arches.optional(),
  nodes: z
    .array(z.object({ name: word, state: word, availability: word }))
    .max(1_000)
    .optional(),
  troubles: z.array(trouble).max(16).optional(),
});

export const reportBody = z.object({
  id: z.string().min(1).max(256),
  hostId: word,
  hostName: word,
  arches,
  emulated: arches,
  tags: words,
  targets: words,
  deviceTags: words,
  slots: count,
  forks: z.boolean().optional(),
  version: z.string().max(64),
  buildCache: z.object({ bytes: count, unusedBytes: count, maxBytes: count.optional() }).optional(),
  name: word.optional(),
  control: z.boolean().optional(),
  startedAt: time.optional(),
  running: z
    .array(z.object({ pipeline: word, job: z.string().max(1_024), attempt: count }))
    .max(1_000)
    .optional(),
  away: trouble.extend({ since: time }).optional(),
  failed: trouble.optional(),
  engine: engine.optional(),
  checks: checks.optional(),
  marks: z.object({ own: word, seen: words, way: word }).optional(),
});
export const leaveBody = z.object({ id: z.string().min(1).max(256) });

/** That of an earlier server is empty, and what a newer one adds is left out. */
export const fleetAnswer: z.ZodType<FleetAnswer> = z.object({
  draining: z.boolean().optional(),
  refused: z.object({ message: text }).optional(),
  undecided: z.boolean().optional(),
  checksSince: time.optional(),
});

/** The audit trail in a folder of the server's disk. After entries were lost, the next one says how many. */
import { z } from 'zod';
import { AUDIT_ACTORS, AUDIT_KINDS, type AuditEntry, type AuditKind } from '../../plan/model/audit.ts';
import type { AuditLog } from '../ports.ts';
import { LineFiles, type FileLimits } from './audit-files.ts';
import { onDisk } from './files.ts';

const MIB = 1_024 * 1_024;
export const AUDIT_LIMITS: Readonly<Record<AuditKind, FileLimits>> = {
  people: { fileBytes: 8 * MIB, files: 128 },
  workers: { fileBytes: 8 * MIB, files: 16 },
  refused: { fileBytes: 8 * MIB, files: 8 },
};

/** As written by `append`. */
const entryShape = z.object({
  at: z.string(),
  kind: z.enum(AUDIT_KINDS),
  actor: z.object({
    kind: z.enum(AUDIT_ACTORS),
    name: z.string().optional(),
    role: z.string().optional(),
  }),
  from: z.string().optional(),
  action: z.string(),
  outcome: z.enum(['done', 'refused', 'failed']),
  route: z.string().optional(),
  status: z.number().optional(),
  code: z.string().optional(),
  about: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  times: z.number().optional(),
});

export function diskAudit(folder: string, limits = AUDIT_LIMITS): AuditLog {
  const filesOf = (kind: AuditKind): LineFiles => new LineFiles(folder, kind, limits[kind]);
  const files = { people: filesOf('people'), workers: filesOf('workers'), refused: filesOf('refused') };
  const listeners = new Set<(entry: AuditEntry) => void>();
  let lost = 0;
  let told = 0;

  const write = async (entry: AuditEntry): Promise<boolean> => {
    const durable = await files[entry.kind].append(JSON.stringify(entry));
    if (durable) for (const listener of listeners) listener(entry);
    return durable;
  };
  /** The entry about lost ones is not counted itself: it is tried again with the next entry. */
  const tellLost = async (at: string): Promise<void> => {
    const entries = lost - told;
    if (entries === 0) return;
    told += entries;
    const actor = { kind: 'server' as const };
    const about = { entries };
    if (!(await write({ at, kind: 'people', actor, action: 'audit.lost', outcome: 'failed', about })))
      told -= entries;
  };
  return {
    append: async (entry) => {
      const durable = await write(entry);
      if (durable) await tellLost(entry.at);
      else lost += 1;
      return durable;
    },
    read: ({ kinds, since, limit }) =>
      onDisk('the audit trail', async () => {
        const found: AuditEntry[] = [];
        for (const kind of new Set(kinds)) found.push(...(await newest(files[kind], { since, limit })));
        return found.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).slice(-limit);
      }),
    watch: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    lost: () => lost,
    close: async () => {
      await Promise.all(AUDIT_KINDS.map((kind) => files[kind].close()));
    },
  };
}

/** Reads files until one begins before `since`, or there are enough entries. */
async function newest(
  files: LineFiles,
  { since = '', limit }: { since?: string | undefined; limit: number },
): Promise<AuditEntry[]> {
  let found: AuditEntry[] = [];
  for await (const text of files.texts()) {
    const entries = text.split('\n').flatMap(readEntry);
    found = [...entries.filter(({ at }) => at >= since), ...found];
    const [first] = entries;
    if (found.length >= limit || (first && first.at < since)) break;
  }
  return found.slice(-limit);
}

/** A line that was cut by a crash is left out. */
function readEntry(line: string): AuditEntry[] {
  if (line === '') return [];
  try {
    const parsed = entryShape.safeParse(JSON.parse(line));
    return parsed.success ? [parsed.data] : [];
  } catch {
    return []; // TRAIL-2
  }
}

/** Deliveries of forges as JSON lines: two files of 256 KiB for each project, so the oldest go first. */
import { join } from 'node:path';
import { z } from 'zod';
import type { Delivery } from '../../plan/model/delivery.ts';
import type { DeliveryLog } from '../ports.ts';
import { LineFiles, type FileLimits } from './audit-files.ts';

const LIMITS: FileLimits = { fileBytes: 256 * 1_024, files: 2 };
const MAX_TEXT = 512;

const text = z.string().max(2 * MAX_TEXT);
const stored: z.ZodType<Delivery> = z.object({
  at: z.number(),
  project: text,
  forge: text,
  event: text,
  delivery: text,
  ref: text.optional(),
  sha: text.optional(),
  sender: text.optional(),
  answer: z.enum(['accepted', 'ignored', 'refused']),
  key: z.string().max(2_048).optional(),
  reason: text.optional(),
});

export function diskDeliveries(folder: string, limits = LIMITS): DeliveryLog & { close(): Promise<void> } {
  const open = new Map<string, LineFiles>();
  const filesOf = (project: string): LineFiles => {
    const known = open.get(project);
    if (known) return known;
    const files = new LineFiles(join(folder, project), 'deliveries', limits);
    open.set(project, files);
    return files;
  };
  return {
    append: (entry) => filesOf(entry.project).append(JSON.stringify(bounded(entry))),
    async read(project, limit) {
      const found: Delivery[] = [];
      for await (const lines of filesOf(project).texts()) {
        for (const line of lines.split('\n').toReversed()) {
          const entry = entryOf(line);
          if (entry) found.push(entry);
          if (found.length >= limit) return found;
        }
      }
      return found;
    },
    close: async () => void (await Promise.all([...open.values()].map((files) => files.close()))),
  };
}

/** Texts that a forge's users choose are cut. */
const bounded = (entry: Delivery): Delivery => ({
  ...entry,
  event: entry.event.slice(0, MAX_TEXT),
  ...(entry.ref !== undefined && { ref: entry.ref.slice(0, MAX_TEXT) }),
  ...(entry.sender !== undefined && { sender: entry.sender.slice(0, MAX_TEXT) }),
  ...(entry.reason !== undefined && { reason: entry.reason.slice(0, MAX_TEXT) }),
});

function entryOf(line: string): Delivery | undefined {
  if (line === '') return undefined;
  try {
    return stored.parse(JSON.parse(line));
  } catch {
    return undefined; // a line that a crash has cut
  }
}

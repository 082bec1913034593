/** What a backup says about itself: the last entry of its archive, so that one without it is not whole. */
import { z } from 'zod';

export const MANIFEST = 'davit-backup.json';
export const FORMAT = 1;

const entrySchema = z.object({
  size: z.number().int().nonnegative(),
  /** Hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type BackupEntry = z.infer<typeof entrySchema>;

export const manifestSchema = z.object({
  format: z.literal(FORMAT),
  /** Version of davit. */
  davit: z.string(),
  installation: z.string().optional(),
  /** Epoch ms: when it was begun. */
  createdAt: z.number(),
  /** File of the embedded Temporal's database, whose name has its version; absent: it was not part of the folder. */
  database: z.string().optional(),
  images: z.boolean(),
  /** Restores before it: the next one is one more. */
  epoch: z.number().int().nonnegative(),
  files: z.record(z.string(), entrySchema),
});
export type BackupManifest = z.infer<typeof manifestSchema>;

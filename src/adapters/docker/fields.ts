/** Schemas of fields that several responses of an engine have. Pure. */
import { z } from 'zod';

export const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
export const strings = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);
export const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
/** RFC 3339 to epoch ms; the engine's zero time is 0. */
export const instant = text.transform((value) => Math.max(0, Date.parse(value) || 0));

/** Podman writes image names in full; davit uses Docker's short form. */
export const shortName = (name: string): string => name.replace(/^docker\.io\/(?:library\/)?/, '');

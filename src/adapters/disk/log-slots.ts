/**
 * Two slots of one file, written in turn: `CRC LENGTH JSON`, padded with spaces. A torn one is unreadable,
 * the other is not.
 */
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { crcText } from '../../plan/model/outcome.ts';
import type { LogState } from '../ports.ts';

export const SLOT_BYTES = 4_096;
const HEAD = /^([0-9a-f]{8}) (\d{1,4}) /;

export interface Slot {
  /** Rises by one; its parity selects the slot. */
  seq: number;
  state: LogState;
}

const count = z.number().int().min(0);
const shape = z.object({
  seq: count,
  state: z.object({
    offset: count,
    crc: count,
    epoch: count,
    checkpoint: z.object({ engineTime: z.string(), recordsAtTime: count, offset: count }).optional(),
    ended: z.object({ bytes: count, crc: z.string(), complete: z.boolean() }).optional(),
    incomplete: z.boolean(),
  }),
});

export function encodeSlot(slot: Slot): Buffer {
  const json = Buffer.from(JSON.stringify(slot));
  const head = Buffer.from(`${crcText(crc32(json))} ${json.length} `);
  if (head.length + json.length > SLOT_BYTES)
    throw new DavitError('usage/invalid', 'The checkpoint of a log is too long.');
  return Buffer.concat([head, json, Buffer.alloc(SLOT_BYTES - head.length - json.length, ' ')]);
}

/** The whole ones of the two. */
export const decodeSlots = (file: Buffer): Slot[] =>
  [0, SLOT_BYTES].flatMap((at) => decodeSlot(file.subarray(at, at + SLOT_BYTES)) ?? []);

function decodeSlot(bytes: Buffer): Slot | undefined {
  const head = HEAD.exec(bytes.subarray(0, 16).toString('latin1'));
  if (!head?.[1] || !head[2]) return undefined;
  const json = bytes.subarray(head[0].length, head[0].length + Number(head[2]));
  if (json.length !== Number(head[2]) || crc32(json) !== Number.parseInt(head[1], 16)) return undefined;
  const value: unknown = JSON.parse(json.toString('utf8'));
  const parsed = shape.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

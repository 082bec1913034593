/** The stream of a pull or push: its lines as text for people, and the error in it. Pure. */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { type Digest, isDigest } from '../../plan/model/ids.ts';
import { oneLine } from '../text.ts';
import { causeOf } from './errors.ts';
import type { JsonLine } from './json-lines.ts';

const event = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  stream: z.string().optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string().optional() }).optional(),
  aux: z.unknown().optional(),
});
export type StreamEvent = z.infer<typeof event>;

/** The event of one line. A line of another shape is shown as text. */
export function streamEvent(line: JsonLine): StreamEvent {
  if ('text' in line) return { stream: `${line.text}\n` };
  const parsed = event.safeParse(line.value);
  return parsed.success ? parsed.data : { stream: `${JSON.stringify(line.value)}\n` };
}

export const eventError = (from: StreamEvent): string | undefined => from.error ?? from.errorDetail?.message;

/** States that repeat many times a second for each layer: progress bars only. */
const BARS = new Set([
  'Downloading',
  'Extracting',
  'Pushing',
  'Waiting',
  'Preparing',
  'Verifying Checksum',
  'Buffering to disk',
]);

/** One line for a log, or undefined for what is only a progress bar. */
export function eventText(from: StreamEvent): string | undefined {
  if (from.stream !== undefined) return from.stream;
  if (from.status === undefined || BARS.has(from.status)) return undefined;
  // Printed at the start of every attempt, even if the registry is unreachable.
  if (from.status.startsWith('The push refers to repository')) return undefined;
  return `${from.id === undefined ? '' : `${from.id}: `}${from.status}\n`;
}

const acknowledged = z.object({ Tag: z.string(), Digest: z.string(), Size: z.number() });
/** Docker's containerd store prints the digest as text only; the classic store also has it in `aux`. */
const DIGEST_LINE = /^(\S+): digest: (sha256:[0-9a-f]{64}) size: (\d+)$/;

/** The digest that the registry accepted for this tag, if the event has one. */
export function pushedDigest(
  from: StreamEvent,
  tag: string,
): { digest: Digest; sizeBytes: number } | undefined {
  const aux = acknowledged.safeParse(from.aux);
  if (aux.success && isDigest(aux.data.Digest)) return { digest: aux.data.Digest, sizeBytes: aux.data.Size };
  const [, named, digest = '', size] = DIGEST_LINE.exec(from.status?.trim() ?? '') ?? [];
  return named === tag && isDigest(digest) ? { digest, sizeBytes: Number(size) } : undefined;
}

/** The error of a pull (`engine/image-*`, `registry/unreachable`, …). */
export const pullError = (message: string, image: string): DavitError =>
  new DavitError(causeOf(message), `Cannot pull image ${image}: ${oneLine(message)}`);

/** The error of a push: if the registry refuses it, the right to push to the repository is missing. */
export function pushError(message: string, image: string, repository: string): DavitError {
  const cause = causeOf(message);
  const refused = cause === 'engine/image-denied';
  return new DavitError(
    refused
      ? 'registry/denied'
      : cause === 'engine/image-missing' &&
          !/no such image|does not exist locally|tag does not exist/i.test(message)
        ? 'registry/failed'
        : cause,
    refused
      ? `Cannot push ${image}: the registry refused it. Missing scope: repository:${repository}:pull,push. Response: ${oneLine(message)}`
      : `Cannot push ${image}: ${oneLine(message)}`,
  );
}

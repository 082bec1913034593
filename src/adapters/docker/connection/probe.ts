/** What answers at an address: enough to tell whether two addresses lead to the same place. */
import { createHash } from 'node:crypto';
import { request } from 'node:http';

const WAIT_MS = 5_000;
const MAX_BYTES = 64 * 1024;

/** `closed`: no connection, or it ended at once. `silent`: a connection without an answer in time. */
export type Answer = { fingerprint: string } | 'closed' | 'silent';
type Place = { host: string; port: number } | { socketPath: string };

/** As an engine asks a registry first. Never rejects. */
export function probe(place: Place, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    const late = AbortSignal.timeout(WAIT_MS);
    const call = request(
      {
        ...place,
        path: '/v2/',
        agent: false,
        headers: { host: 'davit-probe', connection: 'close' },
        signal: AbortSignal.any([signal, late]),
      },
      (response) => {
        const hash = createHash('sha256');
        hash.update(`${response.statusCode ?? 0} ${response.headers['www-authenticate'] ?? ''}\n`);
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes <= MAX_BYTES) hash.update(chunk);
          else response.destroy();
        });
        response.once('close', () => resolve({ fingerprint: hash.digest('hex') }));
        response.on('error', () => undefined); // `close` follows
      },
    );
    call.once('error', () => resolve(late.aborted ? 'silent' : 'closed'));
    call.end();
  });
}

export const isSameAnswer = (one: Answer, other: Answer): boolean =>
  typeof one === 'object' && typeof other === 'object' && one.fingerprint === other.fingerprint;

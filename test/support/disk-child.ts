/**
 * A process that writes to a store on disk and prints what was acknowledged; tests kill it or take its disk
 *   space away. append FOLDER appends numbered lines without end; prints the length after each
 *   acknowledgement full FOLDER tries to write more than its file size limit allows, waits for a line, then
 *   tries again
 */
import { once } from 'node:events';
import { crc32 } from 'node:zlib';
import { diskStores } from '../../src/adapters/disk/index.ts';
import type { LogRef } from '../../src/adapters/ports.ts';

const [mode, folder = ''] = process.argv.slice(2);
const ref: LogRef = { pipeline: 'table/1', job: 'a job', attempt: 1 };
export const line = (n: number): string => `line ${n} ${'x'.repeat(n % 97)}\n`;
const say = (text: unknown): void => void process.stdout.write(`${JSON.stringify(text)}\n`);
const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : String(error);

async function appendForEver(): Promise<void> {
  const { logs, records } = await diskStores(folder);
  let state = await logs.open(ref, Number(process.argv[4]));
  let n = 0;
  for (let length = 0; length < state.offset; n += 1) length += line(n).length;
  for (; ; n += 1) {
    const first = await records.allocate('numbers', `claim ${n}`, 1);
    state = await logs.append(ref, { epoch: state.epoch, offset: state.offset, bytes: Buffer.from(line(n)) });
    say({ offset: state.offset, n, first });
  }
}

async function untilFull(): Promise<void> {
  const { blobs, logs, records } = await diskStores(folder);
  await logs.open(ref, 1);
  const chunk = Buffer.alloc(32_768, 'a');
  await logs.append(ref, { epoch: 1, offset: 0, bytes: chunk });
  const more = () => logs.append(ref, { epoch: 1, offset: chunk.length, bytes: chunk });
  const codes = [await more().catch(codeOf), await blobs.putBytes(Buffer.alloc(200_000)).catch(codeOf)];
  const small = await blobs.putBytes(Buffer.from('small'));
  await records.put('a', 1);
  const { bytes, state } = await logs.read(ref, 0, 100_000);
  say({ codes, small, record: await records.get('a'), read: bytes.length, offset: state.offset });
  await once(process.stdin, 'data');
  const healed = await more();
  say({
    offset: healed.offset,
    right: healed.crc === crc32(Buffer.concat([chunk, chunk])),
    incomplete: healed.incomplete,
  });
  process.exit(0);
}

if (mode === 'append') await appendForEver();
if (mode === 'full') await untilFull();

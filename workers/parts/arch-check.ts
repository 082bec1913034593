/**
 * Whether an engine can run an architecture. It runs the smallest program of that architecture, `exit(0)` in
 * an ELF file of a hundred bytes, in a container of the helper image. This needs no image of that
 * architecture, and works for remote engines, emulation, and 64-bit kernels under 32-bit systems.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import type { Engine } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { Arch } from '../../src/plan/model/ids.ts';

const WAIT_MS = 30_000;

/** `exit(0)`: ARM EABI (ARMv4 and later), A64, x86-64; ELF's `e_machine`, `e_flags`. */
const PROGRAMS: Record<Arch, { machine: number; flags: number; code: number[]; bits: 32 | 64 }> = {
  arm32: {
    machine: 40,
    flags: 0x05000000,
    bits: 32,
    code: [0x00, 0x00, 0xa0, 0xe3, 0x01, 0x70, 0xa0, 0xe3, 0x00, 0x00, 0x00, 0xef],
  },
  arm64: {
    machine: 183,
    flags: 0,
    bits: 64,
    code: [0x00, 0x00, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4],
  },
  amd64: { machine: 62, flags: 0, bits: 64, code: [0xb8, 0x3c, 0x00, 0x00, 0x00, 0x31, 0xff, 0x0f, 0x05] },
};

/** System V ABI, "Object Files": one header, one loadable segment, the code behind them. */
export function exitProgram(arch: Arch): Buffer {
  const { machine, flags, code, bits } = PROGRAMS[arch];
  const wide = bits === 64;
  const headers = wide ? 64 + 56 : 52 + 32;
  const size = headers + code.length;
  const base = wide ? 0x400000n : 0x10000n;
  const file = Buffer.alloc(size);
  file.write('\x7fELF', 'latin1');
  file.set([wide ? 2 : 1, 1, 1], 4);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20);
  const word = (value: bigint, at: number): void => {
    if (wide) file.writeBigUInt64LE(value, at);
    else file.writeUInt32LE(Number(value), at);
  };
  const step = wide ? 8 : 4;
  word(base + BigInt(headers), 24);
  word(BigInt(wide ? 64 : 52), 24 + step);
  const rest = 24 + 3 * step;
  file.writeUInt32LE(flags, rest);
  for (const [index, value] of [wide ? 64 : 52, wide ? 56 : 32, 1, wide ? 64 : 40, 0, 0].entries())
    file.writeUInt16LE(value, rest + 4 + index * 2);
  const segment = wide ? 64 : 52;
  file.writeUInt32LE(1, segment);
  const READ_EXECUTE = 5;
  if (wide) file.writeUInt32LE(READ_EXECUTE, segment + 4);
  else file.writeUInt32LE(READ_EXECUTE, segment + 24);
  const fields = [0n, base, base, BigInt(size), BigInt(size)];
  for (const [index, value] of fields.entries()) word(value, segment + (wide ? 8 : 4) + index * step);
  word(0x1000n, segment + (wide ? 48 : 28));
  file.set(code, headers);
  return file;
}

/** Rejects if the engine does not answer; false if it refused to run the program. */
export async function canRunArch(engine: Engine, arch: Arch, helperImage: string): Promise<boolean> {
  const name = `davit-arch-check-${arch}-${randomUUID().slice(0, 8)}`;
  const tar = pack();
  tar.entry({ name: 'davit-exit', mode: 0o755 }, exitProgram(arch));
  tar.finalize();
  try {
    await engine.createContainer({
      name,
      image: helperImage,
      labels: { 'davit.kind': 'helper' },
      entrypoint: ['/davit-exit'],
      network: { mode: 'none' },
      noNewPrivileges: true,
      volumes: [],
      logMaxBytes: 1_024 * 1_024,
    });
    await engine.upload(name, Readable.from(tar, { objectMode: false }), AbortSignal.timeout(WAIT_MS));
    await engine.startContainer(name);
    const state = await engine.waitContainer(name, AbortSignal.timeout(WAIT_MS));
    return state.exitCode === 0;
  } catch (error) {
    if (error instanceof DavitError && /exec format error/i.test(error.message)) return false;
    throw error;
  } finally {
    await engine.removeContainer(name);
  }
}

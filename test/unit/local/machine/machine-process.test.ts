import { expect, test } from 'vitest';
import type { WorkerSpec } from '../../../../src/local/machine/messages.ts';
import { MachineProcess } from '../../../../src/local/process/machine-process.ts';
import type { ProcessSpec, RunningProcess } from '../../../../src/local/process/managed-process.ts';

interface Started {
  told: object[];
  listens(): void;
  says(message: object): void;
  ends(how: string): void;
}

function machine(): { process: MachineProcess; starts: Started[] } {
  const starts: Started[] = [];
  const start = async (spec: ProcessSpec): Promise<RunningProcess> => {
    const told: object[] = [];
    let listens: () => void = () => undefined;
    let ends: (how: string) => void = () => undefined;
    const readyReported = new Promise<void>((resolve) => (listens = resolve));
    const exited = new Promise<string>((resolve) => (ends = resolve));
    starts.push({ told, listens, ends, says: (message) => spec.onMessage?.(message) });
    return { pid: 1, exited, readyReported, stop: async () => undefined, send: (one) => void told.push(one) };
  };
  const spec = { name: 'davit', program: 'node', args: [], log: 'davit.log', graceMs: 1 };
  return { process: new MachineProcess('http://127.0.0.1:1', spec, start), starts };
}
const CONTROL: WorkerSpec = { kind: 'control' };
const ARCH: WorkerSpec = { kind: 'arch', arches: ['arm64', 'amd64'], emulation: true };
const serve = (worker: WorkerSpec): object => ({ kind: 'serve', worker });
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a restarted process is told of every worker again', async () => {
  const { process, starts } = machine();
  await process.process.start();
  const control = process.serve(CONTROL);
  expect(starts[0]?.told).toEqual([]);
  starts[0]?.listens();
  await settled();
  expect(starts[0]?.told).toEqual([serve(CONTROL)]);
  const arch = process.serve(ARCH);
  expect(starts[0]?.told).toEqual([serve(CONTROL), serve(ARCH)]);
  starts[0]?.says({ kind: 'ready', name: 'control' });
  starts[0]?.says({ kind: 'ready', name: 'worker-arm64+amd64' });
  await Promise.all([control, arch]);
  await process.process.start();
  expect(starts[1]?.told).toEqual([]);
  starts[1]?.listens();
  await settled();
  expect(starts[1]?.told).toEqual([serve(CONTROL), serve(ARCH)]);
});

test('a failed first start is an error with its reason; a later failure is left to the process', async () => {
  const { process, starts } = machine();
  await process.process.start();
  starts[0]?.listens();
  await settled();
  const arch = process.serve(ARCH);
  const failed = {
    kind: 'failed',
    name: 'worker-arm64+amd64',
    code: 'engine/unreachable',
    message: 'No engine.',
    hint: 'Start it.',
  };
  starts[0]?.says(failed);
  await expect(arch).rejects.toMatchObject({ code: 'local/not-started', hint: 'Start it.' });
  await expect(arch).rejects.toThrow('worker-arm64+amd64 did not start. No engine. Its log: davit.log');
  starts[0]?.says(failed);
});

test('a process that ends before a worker is ready ends the wait for it', async () => {
  const { process, starts } = machine();
  await process.process.start();
  const control = process.serve(CONTROL);
  starts[0]?.ends('ended by SIGKILL');
  await expect(control).rejects.toThrow('control did not start. The process ended by SIGKILL.');
});

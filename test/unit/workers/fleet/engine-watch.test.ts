import { afterEach, expect, test, vi } from 'vitest';
import { DavitError, type ErrorCode } from '../../../../src/errors.ts';
import type { EngineInfo } from '../../../../src/adapters/ports.ts';
import { EngineWatch } from '../../../../workers/parts/fleet/engine-watch.ts';
import { Gate, gatedTuner } from '../../../../workers/parts/fleet/gate.ts';

const INFO = { hostName: 'board' } as EngineInfo;
class FakeEngine {
  code: ErrorCode | undefined;
  silent = false;
  asked = 0;
  info = async (): Promise<EngineInfo> => {
    this.asked += 1;
    if (this.silent) return new Promise(() => undefined);
    if (this.code) throw new DavitError(this.code, `It is ${this.code}.`);
    return INFO;
  };
}

let watch: EngineWatch | undefined;
afterEach(() => watch?.stop());
function watching(onBack: () => Promise<void> = async () => undefined) {
  const engine = new FakeEngine();
  const gate = new Gate();
  const said: string[] = [];
  watch = new EngineWatch({
    engine,
    gate,
    hostName: 'board',
    now: () => 1_000,
    log: (text) => said.push(text),
    onBack,
    onChange: () => undefined,
    everyMs: 5,
    awayEveryMs: 5,
    patienceMs: 20,
  });
  const ended = watch.run();
  ended.catch(() => undefined);
  return { engine, gate, said, watch, ended };
}

test.each(['engine/unreachable', 'engine/untrusted'] as const)(
  'an engine that is %s closes the gate, and opens it when it is back',
  async (code) => {
    const { engine, gate, watch: it, said } = watching();
    engine.code = code;
    await vi.waitFor(() => expect(gate.why).toBe('The engine of board is away.'));
    expect(it.away).toMatchObject({ code, since: 1_000 });
    engine.code = undefined;
    await vi.waitFor(() => expect(gate.why).toBeUndefined());
    expect(it.away).toBeUndefined();
    expect(said).toEqual([`takes no jobs: It is ${code}.`, 'its engine is back']);
  },
);

test('an engine that says nothing is away; it is asked one question at a time', async () => {
  const { engine, gate } = watching();
  engine.silent = true;
  await vi.waitFor(() => expect(gate.why).toBeDefined());
  const { asked } = engine;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(engine.asked).toBe(asked);
});

test('a failed request that has an answer closes nothing', async () => {
  const { engine, gate } = watching();
  engine.code = 'engine/failed';
  await vi.waitFor(() => expect(engine.asked).toBeGreaterThan(3));
  expect(gate.why).toBeUndefined();
});

test('another engine at the address ends the worker before it takes jobs', async () => {
  const { engine, gate, ended } = watching(() =>
    Promise.reject(new DavitError('engine/replaced', 'Another.')),
  );
  engine.code = 'engine/unreachable';
  await vi.waitFor(() => expect(gate.why).toBeDefined());
  engine.code = undefined;
  await expect(ended).rejects.toMatchObject({ code: 'engine/replaced' });
  expect(gate.why).toBeDefined();
});

test('a failure of an activity makes it look at once', async () => {
  const engine = new FakeEngine();
  const gate = new Gate();
  const of = {
    engine,
    gate,
    hostName: 'board',
    now: () => 1,
    log: () => undefined,
    onChange: () => undefined,
  };
  watch = new EngineWatch({ ...of, onBack: async () => undefined, everyMs: 3_600_000 });
  void watch.run();
  engine.code = 'engine/untrusted';
  watch.suspect(new Error('something else'));
  expect(engine.asked).toBe(0);
  watch.suspect(new DavitError('engine/untrusted', 'Changed.'));
  await vi.waitFor(() => expect(gate.why).toBeDefined());
});

test('slots are given out while the gate is open, and are as many as they are', async () => {
  const gate = new Gate();
  const tuner = gatedTuner(gate, 2);
  const slots = 'activityTaskSlotSupplier' in tuner ? tuner.activityTaskSlotSupplier : undefined;
  if (slots?.type !== 'custom') throw new Error('not a supplier');
  const context = {
    slotType: 'activity',
    taskQueue: 'q',
    workerIdentity: 'w',
    workerBuildId: '',
    isSticky: false,
  } as const;
  const over = new AbortController();
  const got: number[] = [];
  const reserve = (index: number) =>
    slots.reserveSlot(context, over.signal).then((permit) => (got.push(index), permit));
  const first = await reserve(1);
  gate.close('a', 'closed');
  gate.close('b', 'closed');
  const others = [reserve(2), reserve(3)];
  gate.open('a');
  await Promise.resolve();
  expect(got).toEqual([1]);
  gate.open('b');
  await others[0];
  expect(got).toEqual([1, 2]);
  expect(slots.tryReserveSlot(context)).toBeNull();
  slots.releaseSlot({ permit: first });
  await others[1];
  expect(got).toEqual([1, 2, 3]);
  const never = reserve(4);
  over.abort();
  await expect(never).rejects.toBe(over.signal.reason);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ContainerLog } from '../../../../../activities/runtime/log/container-log.ts';
import { followLog, MAX_FINAL_READS } from '../../../../../activities/job/container/follow.ts';
import { maskAutomaton, maskPatterns } from '../../../../../src/masking/index.ts';
import type { ContainerState, Engine, LogRecord } from '../../../../../src/adapters/ports.ts';
import { DavitError } from '../../../../../src/errors.ts';
import { OWN_LINE } from '../../../../../src/plan/model/log-mark.ts';
import { MemoryLogs } from '../../../../support/job-stores.ts';

const REF = { pipeline: 'demo/1', job: 'test', attempt: 1 } as const;
const MASKS = maskAutomaton(maskPatterns(['secret', 'aaab']));

/** An engine that has only a log, which may break off after any number of records. */
function engineOf(records: LogRecord[], breakAfter?: () => number | undefined): Engine {
  return {
    async *logs(_name: string, { since }: { since?: string }) {
      const left = breakAfter?.();
      let given = 0;
      for (const record of records) {
        if (since !== undefined && record.time < since) continue;
        if (left !== undefined && given++ >= left) throw new Error('the link broke');
        yield record;
      }
    },
  } as unknown as Engine; // the test calls nothing else of an engine
}

interface Crash {
  /** Acknowledged appends until the follower dies; undefined: it does not. */
  appends?: number;
}

/** One follower, to the end or to its crash. Returns true if it closed the log. */
async function follower(logs: MemoryLogs, engine: Engine, epoch: number, crash: Crash): Promise<boolean> {
  const dead = new AbortController();
  const log = await ContainerLog.open({
    store: logs,
    ref: REF,
    epoch,
    capBytes: 400,
    chunkBytes: 8,
    signal: dead.signal,
  });
  log.hide(MASKS);
  // Nothing starts before the beginning of the log is durable.
  if (epoch === 1) log.say('davit begins');
  await log.flush();
  let acknowledged = 0;
  logs.onAppend = () => {
    if (crash.appends !== undefined && ++acknowledged >= crash.appends) dead.abort(new Error('kill -9'));
  };
  try {
    const ended = Promise.resolve();
    await followLog({ engine, container: 'c', log, ended, signal: dead.signal, firstRetryMs: 1 });
    log.say('davit ends');
    await log.end();
    return true;
  } catch (error) {
    if (!dead.signal.aborted) throw error;
    return false;
  }
}

const recordsOf = (texts: string[], sameTimes: boolean[]): LogRecord[] => {
  let clock = 0;
  return texts.map((text, index) => {
    if (!sameTimes[index % sameTimes.length]) clock += 1;
    return {
      stream: 'stdout',
      time: `2026-01-01T00:00:00.${String(clock).padStart(9, '0')}Z`,
      bytes: new TextEncoder().encode(text),
    };
  });
};

async function reference(records: LogRecord[]): Promise<string> {
  const logs = new MemoryLogs();
  await follower(logs, engineOf(records), 1, {});
  return logs.text(REF);
}

const texts = fc.array(
  fc.string({
    unit: fc.constantFrom('s', 'e', 'c', 'r', 'et', 'a', 'aab', 'b', '\n', 'secret'),
    minLength: 1,
    maxLength: 12,
  }),
  { maxLength: 30 },
);

describe('JobLog', () => {
  test('the bytes are the same after any crash or break', async () => {
    await fc.assert(
      fc.asyncProperty(
        texts,
        fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 5 }),
        // One fewer than the attempts after which a follower gives up an ended container's log, with a
        // message.
        fc.array(fc.option(fc.nat(6), { nil: undefined }), { maxLength: MAX_FINAL_READS - 1 }),
        async (parts, sameTimes, crashes, breaks) => {
          const records = recordsOf(parts, sameTimes);
          const logs = new MemoryLogs();
          const left = [...breaks];
          const engine = engineOf(records, () => left.shift());
          let epoch = 1;
          for (const appends of crashes) if (await follower(logs, engine, epoch++, { appends })) break;
          await follower(logs, engine, epoch, {});
          expect(logs.text(REF)).toBe(await reference(records));
          expect((await logs.state(REF))?.ended?.bytes).toBe(logs.text(REF).length);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('no secret is shown, wherever records split it', async () => {
    await fc.assert(
      fc.asyncProperty(texts, async (parts) => {
        const text = await reference(recordsOf(parts, [false]));
        // Text around a mask is not joined: "se" and "cret" are not a secret.
        expect(text.replaceAll('[MASKED]', '|')).not.toContain('secret');
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    ['others stand there', 1],
    ['nothing is left', 0],
  ])('lines that the engine has rotated away are reported: %s', async (_, left) => {
    const logs = new MemoryLogs();
    const records = recordsOf(['one\n', 'two\n', 'three\n', 'four\n'], [false]);
    const before = await ContainerLog.open({
      store: logs,
      ref: REF,
      epoch: 1,
      capBytes: 400,
      signal: new AbortController().signal,
    });
    for (const record of records.slice(0, 2)) await before.record(record);
    await before.flush();
    expect((await logs.state(REF))?.checkpoint?.engineTime).toBe(records[1]?.time);
    await follower(logs, engineOf(records.slice(4 - left)), 2, {});
    expect(logs.text(REF)).toMatch(left > 0 ? /two\n.*rotated[^]*four/ : /two\n.*rotated[^]*davit ends/);
    expect((await logs.state(REF))?.ended?.complete).toBe(false);
  });

  test('a former epoch cannot write, and stops', async () => {
    const logs = new MemoryLogs();
    const open = (epoch: number) =>
      ContainerLog.open({
        store: logs,
        ref: REF,
        epoch,
        capBytes: 400,
        signal: new AbortController().signal,
      });
    const old = await open(1);
    await open(2);
    old.say('too late');
    await expect(old.flush()).rejects.toMatchObject({ code: 'log/fenced' });
    await expect(open(1)).rejects.toBeInstanceOf(DavitError);
  });

  test('a writer waits while the store is unreachable, and nothing is lost', async () => {
    const logs = new MemoryLogs();
    const log = await ContainerLog.open({
      store: logs,
      ref: REF,
      epoch: 1,
      capBytes: 1e9,
      signal: new AbortController().signal,
    });
    logs.outages = 5;
    const line = `${'x'.repeat(1_023)}\n`;
    let written = 0;
    const writing = (async () => {
      for (const record of recordsOf(
        Array.from({ length: 3_000 }, () => line),
        [false],
      )) {
        await log.record(record);
        written += 1;
      }
    })();
    await expect.poll(() => logs.outages, { interval: 5, timeout: 5_000 }).toBeLessThan(5);
    expect(written).toBeLessThan(1_200);
    await writing;
    log.recordsEnded();
    expect(await log.end()).toMatchObject({ bytes: 3_000 * 1_024, complete: true });
  });
});

describe('the mark at the end of a container', () => {
  const of = async (texts: string[], breakAfter?: () => number | undefined) => {
    const logs = new MemoryLogs();
    const signal = new AbortController().signal;
    const log = await ContainerLog.open({
      store: logs,
      ref: REF,
      epoch: 1,
      capBytes: 400,
      signal,
      container: 'c',
    });
    const records = texts.map((text, at) => ({
      time: `2026-01-01T00:00:0${at}.000000000Z`,
      bytes: Buffer.from(text),
      stream: 'stdout' as const,
    }));
    const engine = engineOf(records, breakAfter);
    await followLog({ engine, container: 'c', log, ended: Promise.resolve(), signal, firstRetryMs: 1 });
    log.say('davit ends');
    await log.end();
    return { endRead: log.endRead, text: logs.text(REF).replaceAll(OWN_LINE, '') };
  };
  const MARK = '\u001b_c ends\u001b\\\n';

  test('is not part of the log, nor is a newline before it', async () => {
    expect(await of(['one\n', MARK])).toEqual({ endRead: true, text: 'one\ndavit ends\n' });
    expect(await of(['one\n', `two${MARK}`])).toEqual({ endRead: true, text: 'one\ntwo\ndavit ends\n' });
  });
  test("davit's own line begins a new line, whatever the output ends with", async () => {
    expect((await of(['one'])).text).toBe('one\ndavit ends\n');
    expect((await of(['one\n', ''])).text).toBe('one\ndavit ends\n');
    expect((await of([])).text).toBe('davit ends\n');
    const cut = (await of(['x'.repeat(500)])).text;
    expect(cut).toMatch(/^x{400}\n[^\n]*The log has reached its limit[^\n]*\ndavit ends\n$/);
  });
  test('a notice about lost lines begins a new line, too', async () => {
    const logs = new MemoryLogs();
    const { signal } = new AbortController();
    const log = await ContainerLog.open({ store: logs, ref: REF, epoch: 1, capBytes: 400, signal });
    await log.record({ time: 't', bytes: Buffer.from('half'), stream: 'stdout' });
    log.recordsEnded();
    log.lost('gone');
    await log.end();
    expect(logs.text(REF)).toContain(`half\n${OWN_LINE}`);
  });
  test('is reported missing if the log ends without it, and another container has another mark', async () => {
    expect((await of(['one\n'])).endRead).toBe(false);
    const other = MARK.replace('c ends', 'd ends');
    expect(await of([other])).toEqual({ endRead: false, text: `${other}davit ends\n` });
  });
  test('is read again by a second reader, and doubles nothing', async () => {
    let tries = 0;
    const broken = await of(['one\n', `two${MARK}`, 'late\n'], () => (tries++ < 2 ? 2 : undefined));
    expect(broken).toEqual({ endRead: true, text: 'one\ntwolate\ndavit ends\n' });
  });
});

test('an engine that stays unreachable after the end is reported while the attempt may be resumed, then the rest of the log is lost', async () => {
  const signal = new AbortController().signal;
  const away = new DavitError('engine/unreachable', 'away');
  const logs = (): AsyncIterable<LogRecord> => ({
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(away) }),
  });
  const engine = { ...engineOf([]), logs };
  const follow = async (epoch: number): Promise<boolean> => {
    const log = await ContainerLog.open({ store: new MemoryLogs(), ref: REF, epoch, capBytes: 400, signal });
    await followLog({
      engine,
      container: 'c',
      log,
      epoch,
      ended: Promise.resolve(),
      signal,
      firstRetryMs: 1,
    });
    return (await log.end()).complete;
  };
  await expect(follow(1)).rejects.toBe(away);
  expect(await follow(12)).toBe(false);
});

test('the last lines of a container are awaited if its engine reports the end before it has them', async () => {
  const signal = new AbortController().signal;
  const mark = Buffer.from('\u001b_c ends\u001b\\\n');
  const record = (second: number, bytes: Uint8Array): LogRecord => ({
    stream: 'stdout',
    time: `2026-01-01T00:00:0${second}.000000000Z`,
    bytes,
  });
  const records = [record(1, Buffer.from('first\n'))];
  let readings = 0;
  const engine = engineOf(records);
  const read = engine.logs.bind(engine);
  engine.logs = (...request) => {
    // The engine writes the rest after the second reading.
    if (++readings === 3) records.push(record(2, Buffer.from('last\n')), record(3, mark));
    return read(...request);
  };
  const state = { exitCode: 0, labels: { 'davit.job.marked': 'true' } } as unknown as ContainerState;
  const store = new MemoryLogs();
  const log = await ContainerLog.open({ store, ref: REF, epoch: 1, capBytes: 400, container: 'c', signal });
  await followLog({ engine, container: 'c', log, ended: Promise.resolve(state), signal, firstRetryMs: 1 });
  await log.end();
  expect(log.endRead).toBe(true);
  expect(Buffer.from((await store.read(REF, 0, 400)).bytes).toString()).toBe('first\nlast\n');
});

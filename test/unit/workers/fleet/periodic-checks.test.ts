import { afterEach, expect, test, vi } from 'vitest';
import { PeriodicChecks } from '../../../../workers/parts/fleet/periodic-checks.ts';

let checks: PeriodicChecks | undefined;
afterEach(() => checks?.stop());

/** Each check has the time that the clock shows then. */
function made(clock: { now: number }): { count(): number; checks: PeriodicChecks } {
  let count = 0;
  checks = new PeriodicChecks({
    check: async () => {
      count += 1;
      return { at: clock.now };
    },
    isThere: () => true,
    onChange: () => undefined,
  });
  return { count: () => count, checks };
}

test('checks that are older than asked for are made again, newer ones are not', async () => {
  const clock = { now: 1_000 };
  const { count, checks: own } = made(clock);
  await vi.waitFor(() => expect(own.latest).toEqual({ at: 1_000 }));
  own.ask(900);
  expect(own.latest).toEqual({ at: 1_000 });
  clock.now = 2_000;
  own.ask(1_500);
  await vi.waitFor(() => expect(own.latest).toEqual({ at: 2_000 }));
  own.ask(1_500);
  expect(count()).toBe(2);
});

test("they are made again after the server's clock was set back", async () => {
  const clock = { now: 9_000 };
  const { count, checks: own } = made(clock);
  await vi.waitFor(() => expect(count()).toBe(1));
  own.ask(9_500);
  await vi.waitFor(() => expect(count()).toBe(2));
  own.ask(3_000);
  await vi.waitFor(() => expect(count()).toBe(3));
});

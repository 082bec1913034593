import type * as os from 'node:os';
import { expect, test, vi } from 'vitest';
import { readSettings } from '../../src/config.ts';

// As for a user of a container who has no account.
vi.mock('node:os', async (original) => ({
  ...(await original<typeof os>()),
  homedir: (): string => {
    throw new Error('uv_os_homedir returned ENOENT');
  },
}));

test('a user without a home has settings, where davit has been told its own folders', () => {
  const settings = readSettings({ DAVIT_HOME: '/davit', DAVIT_CACHE: '/cache' });
  expect(settings.engineSources?.userFolder).toBe('/nonexistent');
});

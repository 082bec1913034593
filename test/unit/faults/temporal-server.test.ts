import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pinnedServer, PORT_NAMES, serverEnvironment, type PortName } from '../../faults/temporal-server.ts';
import { ROOT } from '../../support/source.ts';

const own = {
  ports: Object.fromEntries(PORT_NAMES.map((name, at) => [name, 20_000 + at])) as Record<PortName, number>,
  database: { port: 30_000, password: 'geheim' },
};

test('the harness uses the Temporal of docker-compose.yml, with its settings', async () => {
  const pinned = await pinnedServer();
  expect(pinned.version).toMatch(/^\d+\.\d+\.\d+$/);
  const made = serverEnvironment(pinned, own);
  for (const name of ['DB', 'POSTGRES_USER', 'NUM_HISTORY_SHARDS'])
    expect(made[name], name).toBe(pinned.environment[name]);
});

test('it listens on the loopback only, and every port is its own', async () => {
  const made = serverEnvironment(await pinnedServer(), own);
  expect(made.BIND_ON_IP).toBe('127.0.0.1');
  expect(made.POSTGRES_SEEDS).toBe('127.0.0.1');
  expect(made.DB_PORT).toBe('30000');
  const ports = Object.entries(made).filter(([name]) => name.endsWith('_PORT') && name !== 'DB_PORT');
  expect(ports.map(([name]) => name).toSorted()).toEqual([...PORT_NAMES].toSorted());
  expect(new Set(ports.map(([, port]) => port)).size).toBe(PORT_NAMES.length);
});

test("the installation's dynamic settings are used, from an existing file", async () => {
  const { DYNAMIC_CONFIG_FILE_PATH: path = '' } = serverEnvironment(await pinnedServer(), own);
  expect(readFileSync(path, 'utf8')).toContain('history.transferProcessorMaxPollRPS');
});

test.each(['rows', 'soak', 'postgres rows', 'postgres soak'])(
  'docs/reliability.md has a place for the table of %s',
  (kind) => {
    const page = readFileSync(join(ROOT, 'docs', 'reliability.md'), 'utf8');
    const [from, to] = [`<!-- ${kind}: written by the harness -->`, `<!-- end of ${kind} -->`];
    expect(page.split(from)).toHaveLength(2);
    expect(page.indexOf(to)).toBeGreaterThan(page.indexOf(from));
  },
);

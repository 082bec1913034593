/** `davit down --purge` on a real engine, beside another installation. */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ownDavit, type OwnDavit } from '../support/davit.ts';

const docker = (...args: string[]): string => {
  const done = spawnSync('docker', args, { encoding: 'utf8' });
  expect(done.stderr).toBe('');
  return done.stdout.trim();
};
/** Another installation on the same engine. */
const other = {
  label: `davit.installation=${randomUUID()}`,
  volume: `davit-other-${randomUUID().slice(0, 8)}`,
};

let davit: OwnDavit;
let project = '';
beforeAll(async () => {
  docker('volume', 'create', '--label', other.label, other.volume);
  davit = await ownDavit();
  project = mkdtempSync(join(tmpdir(), 'davit-purge-'));
  const file = ['hello:', '  image: $DAVIT_HELPER_IMAGE', '  script: [echo hello]', ''].join('\n');
  writeFileSync(join(project, '.gitlab-ci.yml'), file);
  const { code, stderr } = await davit.cli(['run'], { cwd: project });
  if (code !== 0) throw new Error(stderr);
});
afterAll(async () => {
  await davit.stop();
  docker('volume', 'rm', other.volume);
  rmSync(project, { recursive: true, force: true });
});

const objects = (): string[] => {
  const filter = ['--filter', `label=davit.installation=${davit.installation}`];
  return [
    docker('ps', '-aq', ...filter),
    docker('network', 'ls', '-q', ...filter),
    docker('volume', 'ls', '-q', ...filter),
  ].filter((names) => names !== '');
};
const firewall = (): string =>
  spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }).stdout +
  spawnSync('iptables-save', [], { encoding: 'utf8' }).stdout;

test('a dry run changes nothing', async () => {
  const { code, stderr } = await davit.cli(['down', '--purge', '--dry-run']);
  expect(code).toBe(0);
  expect(stderr).toMatch(/folders +\S*davit-home/);
  expect(stderr).toContain('another davit of this machine uses them');
  expect(objects()).not.toEqual([]);
  expect((await fetch(`${davit.run.server}/healthz`)).status).toBe(200);
});

test('it removes what carries the label, the rules of the firewall and the folder, and nothing else', async () => {
  const rule = `davit_${davit.installation.replaceAll('-', '').slice(0, 8)}`;
  expect(firewall()).toContain(rule);
  const before = docker('images', '-q', 'davit/helper:1');
  const { code, stderr } = await davit.cli(['down', '--purge', '--yes']);
  expect(stderr).toContain('Everything above is removed.');
  expect(code).toBe(0);
  expect(objects()).toEqual([]);
  expect(firewall()).not.toContain(rule);
  expect(existsSync(davit.home)).toBe(false);
  expect(docker('volume', 'ls', '-q', '--filter', `label=${other.label}`)).toBe(other.volume);
  expect(docker('images', '-q', 'davit/helper:1')).toBe(before);
});

test('there is nothing left to purge', async () => {
  const { code, stderr } = await davit.cli(['down', '--purge', '--yes']);
  expect(code).not.toBe(0);
  expect(stderr).toContain('No davit was set up');
});

/** Units of systemd: those of deploy/systemd, and the one that `davit worker add --systemd` writes, checked by systemd. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSettings, type Settings } from '../../src/config.ts';
import { installUnit } from '../../src/local/machines/install-unit.ts';
import { environmentText, unitText } from '../../src/local/machines/unit.ts';
import { systemdPart } from '../parts/systemd.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { ROOT } from '../support/source.ts';

const UNITS = join(ROOT, 'deploy', 'systemd');
const command = promisify(execFile);
const system = { system: true, folder: '' };

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-test-units-'));
});
afterAll(() => rm(folder, { recursive: true }));

const settingsFor = (home: string, path = process.env.PATH): Settings =>
  readSettings({ DAVIT_HOME: home, DAVIT_CACHE: join(home, 'cache'), PATH: path });

await describeWithParts('checked by systemd', [systemdPart], () => {
  test.each(['davit', 'davit-server', 'davit-control', 'davit-worker@', 'davit-deploy@'])(
    'deploy/systemd/%s.service',
    async (name) => {
      const text = await readFile(join(UNITS, `${name}.service`), 'utf8');
      expect(text).toContain('ExecStart=/usr/bin/davit ');
      // The check wants a program that is there.
      const here = text.replaceAll('/usr/bin/davit', join(ROOT, 'davit'));
      const path = join(folder, `${name}.service`);
      await writeFile(path, here);
      const checked = await command('systemd-analyze', ['verify', path.replace('@.', '@pi4.')]);
      expect(checked.stderr).toBe('');
    },
  );

  test('the unit of a machine, in a home with a name that needs care', async () => {
    const home = join(folder, 'a home $1 50%');
    const place = { system: true, folder: join(folder, 'installed') };
    const back = await installUnit(settingsFor(home), { name: 'pi4' }, place);
    const text = await readFile(join(place.folder, 'davit-worker@.service'), 'utf8');
    expect(text).toContain(`EnvironmentFile=${home.replace('%', '%%')}/machines/%i/environment\n`);
    expect((await stat(join(home, 'machines', 'pi4', 'environment'))).mode & 0o777).toBe(0o600);
    await back();
    expect(await readdir(place.folder)).toEqual([]);
  });
});

test('a unit that systemd refuses is taken back, and the error has its words', async () => {
  const program = join(folder, 'systemd-analyze');
  await writeFile(program, '#!/bin/sh\necho "Unknown key" >&2\nexit 1\n');
  await chmod(program, 0o755);
  const place = { system: true, folder: join(folder, 'refused') };
  const settings = settingsFor(join(folder, 'home'), folder);
  await expect(installUnit(settings, { name: 'pi4' }, place)).rejects.toMatchObject({
    code: 'machine/unit',
    message: 'The unit of the worker cannot be installed: Unknown key',
  });
  expect(await readdir(place.folder)).toEqual([]);
});

test('a unit of a user asks for nothing that only root can do, and starts with the session', async () => {
  const template = await readFile(join(UNITS, 'davit-worker@.service'), 'utf8');
  const settings = settingsFor('/home/ada/davit');
  const [own, ofSystem] = [{ ...system, system: false }, system].map((place) =>
    unitText(template, settings, place),
  );
  expect(own).not.toMatch(/^(?:User|Protect|Private|ReadWritePaths|CapabilityBoundingSet)/m);
  expect(own).toContain('NoNewPrivileges=yes');
  expect(own).toContain('WantedBy=default.target');
  expect(ofSystem).toContain('ReadWritePaths=/home/ada/davit /home/ada/davit/cache');
  expect(ofSystem).toContain('WantedBy=multi-user.target');
});

test('the settings of a worker name files, and no secret', () => {
  const settings = readSettings({
    ...{ DAVIT_HOME: '/h', DAVIT_SERVER: 'https://ci.example.com', DAVIT_TOKEN: 'a secret' },
    ...{ TEMPORAL_ADDRESS: 'temporal:7233', TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/etc/a "ca".crt' },
  });
  expect(environmentText(settings)).toBe(
    [
      '# Where the installation of this worker is. The token is in the file beside it.',
      'DAVIT_SERVER="https://ci.example.com"',
      'TEMPORAL_ADDRESS="temporal:7233"',
      'TEMPORAL_NAMESPACE="davit"',
      'TEMPORAL_TLS="true"',
      'TEMPORAL_TLS_SERVER_CA_CERT_PATH="/etc/a \\"ca\\".crt"',
      '',
    ].join('\n'),
  );
});

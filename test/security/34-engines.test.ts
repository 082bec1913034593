/** Row 34: for doctor an engine or a runtime with a known escape is a failure, not a warning. */
import { describe, expect, test } from 'vitest';
import { engineInfoOf } from '../../src/adapters/docker/response-schemas.ts';
import { versionFinding, versionFindings } from '../../src/local/doctor/engine.ts';
import { knownEscapes } from '../../src/local/doctor/known-escapes.ts';

const info = { kind: 'docker', address: 'unix:///x', cpus: 2, authorizationPlugins: false } as const;

test.each([
  ['24.0.7', 'fail'],
  ['25.0.1', 'fail'],
  ['25.0.2', 'ok'],
  ['20.10.24', 'fail'],
  ['19.3.0', 'fail'],
  // A distribution adds fixes to versions of its own: davit cannot know.
  ['20.10.24+dfsg1', 'warn'],
  ['24.0.7-0ubuntu2~22.04.1', 'warn'],
  ['28.2.2', 'ok'],
])('Docker %s: %s', (version, level) => {
  expect(versionFinding({ ...info, version }).verdict).toBe(level);
});

test.each([
  ['1.0.3', 'fail'],
  ['1.1.11', 'fail'],
  ['1.1.12', 'fail'],
  ['1.2.7', 'fail'],
  ['1.2.8', 'ok'],
  ['1.2.9', 'ok'],
  ['1.3.0', 'fail'],
  ['1.3.2', 'fail'],
  ['1.3.3', 'ok'],
  ['1.4.0-rc.2', 'fail'],
  ['1.4.0-rc.3', 'ok'],
  ['1.4.0', 'ok'],
  ['2.0.1', 'ok'],
  ['1.1.5+ds1', 'warn'],
  ['1.2.4-0ubuntu1', 'warn'],
])('runc %s: %s', (version, level) => {
  const runtime = { name: 'runc', version, build: '' };
  const [, found] = versionFindings({ ...info, version: '28.5.2', runtime });
  expect(found).toMatchObject({ name: 'runtime', verdict: level });
  expect(found?.remedy === undefined).toBe(level === 'ok');
});

describe('a failure', () => {
  const old = { ...info, version: '28.5.2', runtime: { name: 'runc', version: '1.1.5', build: '' } };
  test('says what it is of and how to go on', () => {
    expect(versionFindings(old)[1]).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('CVE-2024-21626, CVE-2025-31133'),
      remedy: expect.stringContaining('accept_engine_versions: ["runc 1.1.5"]'),
    });
  });
  test('is a warning where the operator accepts exactly that version', () => {
    expect(versionFindings(old, ['runc 1.1.5'])[1]).toMatchObject({ verdict: 'warn' });
    expect(versionFindings(old, ['runc 1.1.4', 'docker 1.1.5'])[1]).toMatchObject({ verdict: 'fail' });
  });
});

test('the bypass of authorization plugins counts where there are some', () => {
  const of = (version: string, plugins: boolean) => knownEscapes({ name: 'docker', version }, { plugins });
  expect(of('26.1.4', false)).toBeUndefined();
  expect(of('26.1.4', true)?.cves).toEqual(['CVE-2024-41110']);
  expect(of('26.1.5', true)).toBeUndefined();
  expect(of('27.1.0', true)).toBeDefined();
  expect(of('27.1.1', true)).toBeUndefined();
});

test('engines say which runtime they have', () => {
  const engine = { NCPU: 2, MemTotal: 1, ServerVersion: '4.3.1' };
  const of = (Components: unknown) =>
    engineInfoOf(engine, { Arch: 'amd64', Components }, { address: 'unix:///x' }).runtime;
  expect(of([{ Name: 'runc', Version: '1.1.5+ds1', Details: { GitCommit: '1.1.5+ds1-1+deb12u1' } }])).toEqual(
    { name: 'runc', version: '1.1.5+ds1', build: '1.1.5+ds1-1+deb12u1' },
  );
  expect(of([{ Name: 'OCI Runtime (crun)', Version: 'crun version 1.8.1\ncommit: f8a' }])).toMatchObject({
    name: 'crun',
    version: '1.8.1',
  });
  expect(of(undefined)).toBeUndefined();
});

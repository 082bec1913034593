/** Before an upgrade, an operator reads what a new default would change. */
import { expect, test } from 'vitest';
import { parseInstallation, parseWorkerConfig } from '../../src/compiler/installation-file.ts';
import { securityFindings, temporalFindings } from '../../src/local/doctor/security.ts';

function said(text: string, workerText = ''): string {
  const parsed = parseInstallation(text, 'davit.config.yml');
  const worker = parseWorkerConfig(workerText, 'worker.yml');
  if (!parsed.ok || !worker.ok) throw new Error(JSON.stringify([parsed, worker]));
  return securityFindings(parsed.value, { worker: worker.value })
    .map((one) => `${one.name}: ${one.verdict}: ${one.found} ${one.remedy ?? ''}`)
    .join('\n');
}
const user = `{name: d, role: developer, token_sha256: ${'a'.repeat(64)}}`;

test('a file of an earlier version is read, and what changes is named with its remedy', () => {
  const text = `
users: [${user}]
projects: [{name: shop, forge: gitea, protected_refs: [main, 'v*']}]
targets: [{name: prod}]
`;
  const all = said(text);
  for (const remedy of [
    'protected_tags',
    'start_protected: [developer]',
    'fork_pipelines',
    'forks: true',
    'adopt: true',
    'registry_auth: off',
  ])
    expect(all).toContain(remedy);
});

test('approvals by signal are named where they are on, with the keys that count', () => {
  expect(said('approve_by_signal: true')).toContain('names no key');
  expect(said(`approve_by_signal: true\napproval_keys: [{name: olga, key: ${'A'.repeat(59)}=}]`)).toContain(
    'olga can open',
  );
  expect(said('{}')).not.toContain('approve_by_signal');
});

test('a file that says all of it has no finding', () => {
  const text = `
approve_by_signal: false
registry_auth: tokens
users: [${user}]
projects: [{name: shop, forge: gitea, protected_branches: [main], start_protected: [developer], fork_pipelines: 'off'}]
targets: [{name: prod, refs: [main]}]
`;
  expect(said(text, 'egress: {allow: [10.1.0.0/16]}')).toMatch(/^security: ok/);
});

test('rights of a worker that every branch had before', () => {
  const all = said('{}', 'devices: {gpio: [/dev/gpiochip0]}\nprivileged_services: true');
  expect(all).toContain('devices: { gpio: { paths: [...], refs: branches } }');
  expect(all).toContain('privileged_services: branches');
  expect(all).toContain('egress: { allow:');
});

test('a registry that asks nobody, and one with an account', () => {
  expect(said('registry_auth: off')).toContain('Everybody who reaches');
  const own = 'registries: [{host: registry.example.com, username: u, password: env:P, default: true}]';
  expect(said(own)).not.toContain('registry_auth');
});

test('a server that would listen beyond its machine without TLS, and an address without it', () => {
  const all = said('{listen: {host: 0.0.0.0, port: 8420}, url: "http://ci.lan:8420"}');
  expect(all).toMatch(/listen: fail: .*does not start.*0\.0\.0\.0.*insecure: true/);
  expect(all).toMatch(/url: warn: .*http:\/\/ci\.lan:8420/);
  for (const fine of [
    '{listen: {host: 0.0.0.0, insecure: true}}',
    '{listen: {host: 0.0.0.0}, tls: {cert: a, key: b}, url: "https://ci.lan"}',
    '{listen: {host: 127.0.0.1}, url: "http://127.0.0.1:8420"}',
  ])
    expect(said(fine)).not.toMatch(/^(listen|url):/m);
});

test('a Temporal on another machine that is called without TLS', () => {
  const [found] = temporalFindings({ temporalAddress: 'temporal.internal:7233' });
  expect(found).toMatchObject({
    verdict: 'warn',
    remedy: expect.stringContaining('TEMPORAL_TLS_') as string,
  });
  expect(temporalFindings({ temporalAddress: 'temporal.internal:7233', temporalTls: {} })).toEqual([]);
  expect(temporalFindings({ temporalAddress: '127.0.0.1:7233' })).toEqual([]);
  expect(temporalFindings({})).toEqual([]);
});

/** Row 38: masked values are passed to a service as files if its image reads them; otherwise the file's author is warned. */
import { describe, expect, test } from 'vitest';
import { sideEnvironments } from '../../activities/job/start/variables.ts';
import type { ScriptSpec } from '../../src/plan/model/spec.ts';
import { job, run } from '../unit/compiler/helpers.ts';

const project = {
  variables: [{ name: 'KEY', value: { secret: 'env:KEY' as const }, masked: true, file: false }],
};
const file = (services: string, more = ''): string =>
  `j: {image: x, script: [echo], services: [${services}]${more}}`;
const warnings = (text: string): string => {
  const answer = run(text, { project });
  if (answer.kind !== 'plan') throw new Error(JSON.stringify(answer));
  return answer.warnings.map((one) => one.message).join('\n');
};

describe('a masked variable of a service', () => {
  test.each([
    ['{name: db, variables: {PASSWORD: "$KEY"}}', 'gets a masked value as PASSWORD'],
    ['{name: db, variables: {PASSWORD: plain}}', ''],
    ['{name: "postgres:16", variables: {POSTGRES_PASSWORD: "$KEY"}}', ''],
    ['{name: "docker.io/library/mysql@sha256:aa", variables: {MYSQL_ROOT_PASSWORD: "$KEY"}}', ''],
    ['{name: mariadb, variables: {MYSQL_PASSWORD: "$KEY", MARIADB_USER: "$KEY"}}', ''],
    ['{name: "postgres:16", variables: {PGPASSWORD: "$KEY"}}', 'as PGPASSWORD'],
    ['{name: "my.example/postgres:16", variables: {POSTGRES_PASSWORD: "$KEY"}}', 'as POSTGRES_PASSWORD'],
    ['{name: postgres, entrypoint: [sh], variables: {POSTGRES_PASSWORD: "$KEY"}}', 'as POSTGRES_PASSWORD'],
    [
      '{name: postgres, variables: {POSTGRES_PASSWORD: "$KEY", POSTGRES_PASSWORD_FILE: /x}}',
      'as POSTGRES_PASSWORD',
    ],
    ['{name: redis, command: [redis-server, --requirepass, "$KEY"]}', 'a masked value in its command'],
  ])('%s', (service, warning) => {
    const said = warnings(file(service));
    if (warning === '') expect(said).toBe('');
    else expect(said).toContain(warning);
  });
  test('that the whole job has is one too', () => {
    expect(warnings(file('mysql', ', variables: {MYSQL_PASSWORD: "$KEY"}'))).toBe('');
    expect(warnings(file('redis', ', variables: {MYSQL_PASSWORD: "$KEY"}'))).toContain('as MYSQL_PASSWORD');
  });
});

test('what goes into a file is not in the environment, and is masked', async () => {
  const text = file(
    '{name: "postgres:16", variables: {POSTGRES_PASSWORD: "$KEY", POSTGRES_DB: shop, OTHER: "$KEY"}}',
  );
  const spec = job(text, 'j', { project }).spec as ScriptSpec;
  const secrets = { resolve: async () => 'canary-7f3a' } as never;
  const found = await sideEnvironments(spec, secrets, new Map([['KEY', 'canary-7f3a']]));
  expect(found.services).toEqual([
    { env: ['POSTGRES_DB=shop', 'OTHER=canary-7f3a'], files: { POSTGRES_PASSWORD: 'canary-7f3a' } },
  ]);
  expect(found.masked).toContain('canary-7f3a');
});

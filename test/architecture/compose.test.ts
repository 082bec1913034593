import { execFileSync } from 'node:child_process';
import { verify, X509Certificate } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseInstallation } from '../../src/compiler/installation-file.ts';
import { ARCHES } from '../../src/plan/model/ids.ts';
import { readWorkersFile } from '../../src/local/setup/workers-file.ts';
import { knownTokens } from '../../src/server/auth.ts';
import { TOKEN_ISSUER, TOKEN_PATH, TOKEN_SERVICE } from '../../src/server/registry/token-path.ts';
import { tokenSigner } from '../../src/server/registry/token-signer.ts';
import { ROOT } from '../support/source.ts';

const service = z.object({
  image: z.string(),
  build: z.string().optional(),
  network_mode: z.string().optional(),
  command: z.array(z.string()).optional(),
  entrypoint: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()).min(1) }).optional(),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  /** Names; a secret has the name of its file, or `target`. */
  secrets: z.array(z.union([z.string(), z.object({ source: z.string(), target: z.string() })])).default([]),
});
const compose = z.object({
  services: z.record(z.string(), service),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
  volumes: z.record(z.string(), z.null()),
});

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const text = read('docker-compose.yml');
const file = compose.parse(parse(text, { merge: true }));
const services = Object.entries(file.services);
const secretsOf = (one: z.infer<typeof service>): string[] =>
  one.secrets.map((secret) => (typeof secret === 'string' ? secret : secret.source));
const davit = services.filter(([, one]) => one.build !== undefined);

describe('docker-compose.yml', () => {
  let copy = '';
  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'davit-compose-'));
    cpSync(join(ROOT, 'compose'), join(copy, 'compose'), { recursive: true });
    rmSync(join(copy, 'compose', 'secrets'), { recursive: true, force: true });
    writeFileSync(join(copy, 'socket'), '');
    execFileSync(join(copy, 'compose', 'init.sh'), {
      env: { ...process.env, DOCKER_SOCKET: join(copy, 'socket') },
    });
  });
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  test('has the whole installation', () => {
    expect(services.map(([name]) => name)).toEqual([
      'postgresql',
      'certificates',
      'temporal-schema',
      'temporal',
      'temporal-ui',
      'registry',
      'server',
      'worker-control',
      'worker-arm32',
      'worker-arm64',
      'worker-amd64',
      'machines',
      'worker-deploy',
    ]);
  });

  test('every image has a full version, and davit has its own', () => {
    const version: unknown = z
      .object({ version: z.string() })
      .parse(JSON.parse(read('package.json'))).version;
    for (const [name, one] of services) expect(one.image, name).toMatch(/:\d+\.\d+(\.\d+)?$/);
    for (const [name, one] of davit) expect(one.image, name).toBe(`davit:${String(version)}`);
    const stages = new Set([...read('Dockerfile').matchAll(/ AS (\S+)$/gm)].map(([, name]) => name));
    for (const [, from] of read('Dockerfile').matchAll(/^FROM (\S+)/gm))
      if (!stages.has(from)) expect(from).toMatch(/:\d+\.\d+\.\d+-/);
  });

  test('every service that stays has a health check', () => {
    const ends = new Set(
      services.flatMap(([, one]) =>
        Object.entries(one.depends_on)
          .filter(([, on]) => on.condition === 'service_completed_successfully')
          .map(([name]) => name),
      ),
    );
    expect(
      services.filter(([name, one]) => !ends.has(name) && !one.healthcheck).map(([name]) => name),
    ).toEqual([]);
  });

  test('the health check of a worker tests whether it takes work, and works from another process', () => {
    const workers = davit.filter(([, one]) => one.command?.[0] === 'worker');
    expect(workers).toHaveLength(6);
    for (const [name, one] of workers) {
      expect(one.healthcheck?.test.at(-1), name).toContain('$$DAVIT_READY_FILE');
      expect(one.environment, name).toHaveProperty('DAVIT_READY_FILE');
      expect(one.entrypoint?.at(-1), name).toBe('/opt/davit/scripts/keep-running.sh');
    }
  });

  test('nothing listens beyond this machine', () => {
    for (const [name, one] of services)
      for (const port of one.ports) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  test('the registry believes the tokens that the server signs', () => {
    const secret = (name: string): string => readFileSync(join(copy, 'compose', 'secrets', name), 'utf8');
    const registry = file.services.registry?.environment;
    const server = file.services.server?.environment;
    expect(registry).toMatchObject({
      REGISTRY_AUTH: 'token',
      REGISTRY_AUTH_TOKEN_ISSUER: TOKEN_ISSUER,
      REGISTRY_AUTH_TOKEN_SERVICE: TOKEN_SERVICE,
      REGISTRY_AUTH_TOKEN_REALM: `${String(server?.DAVIT_SERVER)}${TOKEN_PATH}`,
      REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE: '/run/secrets/registry-cert',
    });
    expect(server).toMatchObject({ DAVIT_REGISTRY_KEY_FILE: '/run/secrets/registry-key' });
    const { token } = tokenSigner(secret('registry-key')).sign('me', []);
    const certificate = new X509Certificate(secret('registry-cert'));
    const [head, claims, signature = ''] = token.split('.');
    expect(
      verify(
        'sha256',
        Buffer.from(`${head}.${claims}`),
        { key: certificate.publicKey, dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature, 'base64url'),
      ),
    ).toBe(true);
  });

  test('each worker has a token of its own, and none opens what the others have', async () => {
    const secret = (name: string): string => readFileSync(join(copy, 'compose', 'secrets', name), 'utf8');
    const known = knownTokens({
      users: [],
      cliToken: secret('cli-token'),
      owner: 'me',
      controlToken: secret('control-token'),
      workerToken: secret('worker-token'),
      workers: await readWorkersFile(join(copy, 'compose', 'secrets', 'workers')),
    });
    // `machines` has those of the machines that are added, in its own volume.
    expect(file.services.machines?.secrets).toEqual([]);
    const workers = davit.filter(([name, one]) => one.command?.[0] === 'worker' && name !== 'machines');
    const callers = workers.map(([name, one]) => {
      expect(one.secrets, name).toEqual([{ source: expect.any(String) as string, target: 'token' }]);
      expect(one.environment.DAVIT_WORKER_TOKEN_FILE, name).toBe('/run/secrets/token');
      const caller = known.worker(secret(secretsOf(one)[0] ?? ''));
      return [name, caller?.kind, caller?.machine?.name];
    });
    expect(callers).toEqual(
      workers.map(([name]) =>
        name === 'worker-control' ? [name, 'control', undefined] : [name, 'machine', name],
      ),
    );
    expect(file.services.server?.environment).toMatchObject({
      DAVIT_CONTROL_TOKEN_FILE: '/run/secrets/control-token',
      DAVIT_WORKERS_FILE: '/run/secrets/workers',
    });
  });

  test('Temporal refuses who has no certificate, and its UI changes nothing', () => {
    const { temporal, 'temporal-ui': ui } = file.services;
    expect(temporal?.environment).toMatchObject({
      TEMPORAL_TLS_REQUIRE_CLIENT_AUTH: 'true',
      TEMPORAL_TLS_CLIENT1_CA_CERT: '/certificates/temporal/ca.crt',
    });
    expect(ui?.environment.TEMPORAL_DISABLE_WRITE_ACTIONS).toBe('true');
    for (const [name, one] of davit.filter(([, { command }]) => command !== undefined)) {
      expect(one.environment, name).toHaveProperty('TEMPORAL_TLS_CLIENT_CERT_PATH');
      expect(one.volumes, name).toContain('client-certificates:/certificates/clients:ro');
    }
    // The key of the authority is where certificates are made, and nowhere else.
    const withKey = services.filter(([, one]) => one.volumes.some((volume) => volume.startsWith('ca:')));
    expect(withKey.map(([name]) => name)).toEqual(['certificates']);
  });

  test('every name it refers to exists', () => {
    for (const [name, one] of services) {
      for (const other of Object.keys(one.depends_on)) expect(file.services, name).toHaveProperty(other);
      for (const secret of secretsOf(one)) expect(file.secrets, name).toHaveProperty([secret]);
    }
  });

  test('every file it mounts is in the project, or made by compose/init.sh', () => {
    const sources = services.flatMap(([, one]) => one.volumes.map((volume) => volume.split(':')[0] ?? ''));
    for (const source of sources)
      if (source.startsWith('./')) expect(existsSync(join(copy, source)), source).toBe(true);
      else if (!source.startsWith('/')) expect(file.volumes).toHaveProperty([source]);
    for (const { file: path } of Object.values(file.secrets)) {
      expect(readFileSync(join(copy, path), 'utf8'), path).toMatch(
        /^[0-9a-f]{64}$|^(?:worker-\w+ [0-9a-f]{64}\n)+$|^-----BEGIN (?:PRIVATE KEY|CERTIFICATE)-----\n/,
      );
      expect(statSync(join(copy, path, '..')).mode & 0o777).toBe(0o700);
    }
  });

  test("a key for a board belongs to the containers' user, or compose/init.sh says how", () => {
    const key = join(copy, 'compose/ssh/id_ed25519');
    writeFileSync(key, 'a key', { mode: 0o600 });
    const said = execFileSync(join(copy, 'compose', 'init.sh'), { encoding: 'utf8' });
    const [, user = ''] = /useradd --uid (\d+)/.exec(read('Dockerfile')) ?? [];
    if (process.getuid?.() === 0) expect(String(statSync(key).uid)).toBe(user);
    else expect(said).toContain(`sudo chown -R ${user}:${user} compose/ssh`);
    expect(statSync(key).mode & 0o077).toBe(0);
  });

  test('every variable has a default or is made by compose/init.sh, which keeps what is there', () => {
    const made = readFileSync(join(copy, '.env'), 'utf8');
    for (const [, name, rest] of text.matchAll(/(?<!\$)\$\{(\w+)([^}]*)\}/g))
      if (!rest?.startsWith(':-')) expect(made).toContain(`${name}=`);
    const secrets = (): string[] =>
      Object.values(file.secrets).map(({ file: path }) => readFileSync(join(copy, path), 'utf8'));
    const before = secrets();
    execFileSync(join(copy, 'compose', 'init.sh'));
    expect(secrets()).toEqual(before);
    expect(readFileSync(join(copy, '.env'), 'utf8')).toBe(made);
  });

  test('it contains no secret: passwords and tokens come from files', () => {
    // The registry's names for where its tokens come from.
    for (const [name, one] of services)
      for (const [key, value] of Object.entries(one.environment))
        if (/PASSWORD|PWD|TOKEN|KEY|SECRET/.test(key))
          expect(`${name} ${key} ${value}`).toMatch(
            /_FILE |^\S+ TEMPORAL_TLS_\w+ \/certificates\/|^registry REGISTRY_AUTH_TOKEN_/,
          );
  });

  test("davit's services get variables that davit reads, and a valid installation file", () => {
    const config = read('src/config.ts');
    for (const [name, one] of davit)
      for (const key of Object.keys(one.environment)) expect(config, name).toContain(`env.${key}`);
    const installation = parseInstallation(read('compose/davit.config.yml'), 'davit.config.yml');
    expect(installation.ok ? installation.warnings : installation.problems).toEqual([]);
  });
});

describe('Dockerfile', () => {
  test('copies existing files that .dockerignore includes', () => {
    const ignore = read('.dockerignore');
    const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((found) =>
      (found[1] ?? '').split(' '),
    );
    expect(copied.length).toBeGreaterThan(4);
    for (const source of copied) {
      expect(existsSync(join(ROOT, source)), source).toBe(true);
      expect(ignore).toContain(`!${source}\n`);
    }
  });

  test('runs as an unprivileged user', () => {
    expect(read('Dockerfile')).toMatch(/^USER davit$/m);
  });

  test('leaves no anonymous volume behind: compose names every volume', () => {
    expect(read('Dockerfile')).not.toMatch(/^VOLUME/m);
  });

  test('contains the workflow bundle and a static busybox for each architecture', () => {
    expect(read('Dockerfile')).toMatch(/^COPY --from=bundle \S+ bundles$/m);
    for (const arch of ARCHES) expect(read('Dockerfile')).toContain(`${arch}:`);
  });
});

/**
 * The images that docker-compose.yml and Dockerfile name, on an engine: pulled if possible, else built under
 * the same names from Debian's packages, npm's package of Node and Temporal's Go modules. A substitute has
 * the label `davit.test.made`, and provides only what the installation needs of the image.
 */
import { readFileSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Settings } from '../../src/config.ts';
import { outputTail, runCommand } from '../../src/local/process/exec.ts';
import type { Progress } from '../../src/local/process/progress.ts';
import { ensureTemporalServer } from '../faults/temporal-server.ts';
import type { ComposeEngine } from '../support/compose-engine.ts';
import { ROOT } from '../support/source.ts';

const DEBIAN = 'davit-test/debian:bookworm';
const NPM = '11';
const PULL_MS = 5 * 60_000;
const MAKE_MS = 15 * 60_000;
/** Authorities that this machine trusts, for builds that fetch over TLS. */
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

interface Making {
  engine: ComposeEngine;
  settings: Settings;
  folder: string;
  progress: Progress;
}
interface Recipe {
  dockerfile: string;
  files?: Record<string, string>;
  /** Adds binary files to the folder. `tag`: of the required image. */
  prepare?(into: string, tag: string, making: Making): Promise<void>;
}

const compose = z.object({
  services: z.record(z.string(), z.object({ image: z.string(), build: z.string().optional() })),
});

/** All images that are not built from the Dockerfile. */
export function namedImages(): string[] {
  const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  const { services } = compose.parse(parse(text, { merge: true }));
  const names = Object.values(services).flatMap((one) => (one.build === undefined ? [one.image] : []));
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
  for (const [, from = ''] of dockerfile.matchAll(/^FROM (\S+:\S+)/gm)) names.push(from);
  return [...new Set(names)].toSorted();
}

export async function ensureImages(making: Making): Promise<void> {
  for (const image of namedImages()) {
    if ((await making.engine.run('docker', ['image', 'inspect', image])).code === 0) continue;
    if ((await making.engine.run('docker', ['pull', '-q', image], { timeoutMs: PULL_MS })).code === 0)
      continue;
    making.progress.note(`${image} cannot be pulled: one of the same name is made.`);
    await making.progress.step(image, () => makeImage(image, making));
  }
}

async function makeImage(image: string, making: Making): Promise<void> {
  const colon = image.lastIndexOf(':');
  const recipe = RECIPES[image.slice(0, colon)];
  if (!recipe) throw new Error(`test/parts/compose-images.ts has no recipe for ${image}.`);
  await ensureDebian(making);
  const context = join(making.folder, image.replaceAll(/[^a-z0-9.]/g, '-'));
  await mkdir(context, { recursive: true });
  for (const [name, text] of Object.entries(recipe.files ?? {})) await writeFile(join(context, name), text);
  await writeFile(join(context, 'Dockerfile'), `FROM ${DEBIAN}\n${recipe.dockerfile}`);
  await recipe.prepare?.(context, image.slice(colon + 1), making);
  const args = ['build', '-q', '-t', image, '--label', 'davit.test.made=1', context];
  const done = await making.engine.run('docker', args, { env: { DOCKER_BUILDKIT: '0' }, timeoutMs: MAKE_MS });
  if (done.code !== 0) throw new Error(`${image}: ${outputTail(done)}`);
}

async function ensureDebian({ engine, folder, progress }: Making): Promise<void> {
  if ((await engine.run('docker', ['image', 'inspect', DEBIAN])).code === 0) return;
  await progress.step('a Debian', async () => {
    const tar = join(folder, 'debian.tar');
    const made = await runCommand('mmdebstrap', ['--variant=minbase', 'bookworm', tar], {
      timeoutMs: MAKE_MS,
    });
    if (made.code !== 0) throw new Error(`mmdebstrap: ${outputTail(made)}`);
    await engine.docker('import', tar, DEBIAN);
  });
}

const install = (...packages: string[]): string =>
  `RUN apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')} && rm -rf /var/lib/apt/lists/*`;

const RECIPES: Record<string, Recipe> = {
  node: {
    dockerfile: `COPY usr-local/ /usr/local/
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
COPY authorities.crt /usr/local/share/authorities.crt
ENV NODE_EXTRA_CA_CERTS=/usr/local/share/authorities.crt
CMD ["node"]
`,
    async prepare(into, tag) {
      const node = `node-linux-${process.arch}`;
      const wanted = [`${node}@${tag.split('-')[0]}`, `npm@${NPM}`];
      const fetched = await runCommand('npm', [
        'install',
        '--no-save',
        '--ignore-scripts',
        '--prefix',
        into,
        ...wanted,
      ]);
      if (fetched.code !== 0) throw new Error(`npm install: ${outputTail(fetched)}`);
      const modules = join(into, 'node_modules');
      await cp(join(modules, node, 'bin', 'node'), join(into, 'usr-local', 'bin', 'node'));
      await cp(join(modules, 'npm'), join(into, 'usr-local', 'lib', 'node_modules', 'npm'), {
        recursive: true,
      });
      await cp(AUTHORITIES, join(into, 'authorities.crt'));
    },
  },
  postgres: {
    dockerfile: `${install('postgresql')}
RUN ln -s /usr/lib/postgresql/* /usr/lib/postgresql/here
COPY entrypoint.sh /entrypoint.sh
ENV PGDATA=/var/lib/postgresql/data PATH=/usr/lib/postgresql/here/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/entrypoint.sh"]
`,
    files: {
      'entrypoint.sh': `set -eu
as="setpriv --reuid postgres --regid postgres --clear-groups"
install -d -o postgres -g postgres -m 0755 /run/postgresql
install -d -o postgres -g postgres -m 0700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  install -o postgres -m 0400 "$POSTGRES_PASSWORD_FILE" /tmp/password
  $as initdb -D "$PGDATA" --username "$POSTGRES_USER" --pwfile /tmp/password --auth-host scram-sha-256 --auth-local trust \\
    --encoding UTF8 --locale C.UTF-8 --no-instructions
  rm /tmp/password
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE \\"$POSTGRES_USER\\"" | $as postgres --single -D "$PGDATA" postgres
fi
exec $as postgres -D "$PGDATA" -c 'listen_addresses=*'
`,
    },
  },
  registry: {
    dockerfile: `${install('docker-registry', 'busybox')}
RUN ln -s /bin/busybox /usr/local/bin/wget
COPY config.yml /config.yml
VOLUME /var/lib/registry
ENTRYPOINT ["docker-registry", "serve", "/config.yml"]
`,
    files: {
      'config.yml': `version: 0.1
storage:
  filesystem: { rootdirectory: /var/lib/registry }
http: { addr: ":5000" }
`,
    },
  },
  'temporalio/server': {
    dockerfile: `${install('netcat-openbsd')}
COPY temporal-server /usr/local/bin/
COPY entrypoint.sh /etc/temporal/
ENTRYPOINT ["/etc/temporal/entrypoint.sh"]
`,
    files: {
      'entrypoint.sh': `#!/bin/sh
set -eu
if [ "$BIND_ON_IP" = 0.0.0.0 ]; then
  TEMPORAL_BROADCAST_ADDRESS=$(getent hosts "$(hostname)" | cut -d ' ' -f 1)
  export TEMPORAL_BROADCAST_ADDRESS
fi
exec temporal-server start
`,
    },
    prepare: async (into, tag, { settings, progress }) => {
      const { server } = await ensureTemporalServer(settings, tag, progress);
      await cp(server, join(into, 'temporal-server'));
      await runCommand('chmod', ['0755', join(into, 'entrypoint.sh')]);
    },
  },
  'temporalio/admin-tools': {
    dockerfile: 'COPY temporal-sql-tool /usr/local/bin/\nCMD ["sh"]\n',
    prepare: async (into, tag, { settings, progress }) => {
      const { tool } = await ensureTemporalServer(settings, tag, progress);
      await cp(tool, join(into, 'temporal-sql-tool'));
    },
  },
  'temporalio/ui': {
    dockerfile: `${install('busybox', 'netcat-openbsd')}
CMD ["busybox", "httpd", "-f", "-p", "8080", "-h", "/srv"]
`,
  },
};

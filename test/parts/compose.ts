/**
 * What `test/integration/compose.test.ts` needs: docker compose, and the data folder of an engine that holds
 * the images of docker-compose.yml and Dockerfile and the layers of davit's image, so that the test itself
 * builds without a network.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '../../src/config.ts';
import { outputTail, which } from '../../src/local/process/exec.ts';
import { installPackages, mayInstall } from '../../src/local/setup/debian.ts';
import { buildGoPrograms } from '../../src/local/setup/go-programs.ts';
import type { Progress } from '../../src/local/process/progress.ts';
import { ComposeEngine } from '../support/compose-engine.ts';
import { ROOT } from '../support/source.ts';
import { ensureImages, namedImages } from './compose-images.ts';
import { ensurePart, type Part } from './part.ts';

const VERSION = '2.40.3';
const MODULE = 'github.com/docker/compose/v2';
const BUILD_MS = 30 * 60_000;
/** Everything that the image is built from, and the files that start an installation. */
const PROJECT = ['Dockerfile', '.dockerignore', 'docker-compose.yml', ...buildContext()];
const COMPOSE_FOLDER = [
  'davit.config.yml',
  'init.sh',
  'certificates.sh',
  'temporal-dynamic.yaml',
  'temporal-schema.sh',
];

export const dockerComposePart: Part = {
  name: `docker-compose-${VERSION}`,
  files: ['docker-compose'],
  make: ({ settings, folder, progress }) =>
    buildGoPrograms(
      settings,
      {
        title: `Docker Compose ${VERSION}`,
        version: VERSION,
        note: `docker compose ${VERSION} is built from its Go module; on 2 cores 3 to 10 minutes.`,
        programs: [
          {
            path: `${MODULE}/cmd`,
            file: 'docker-compose',
            values: { [`${MODULE}/internal.Version`]: `v${VERSION}` },
          },
        ],
      },
      { folder, progress },
    ),
};

/** `data`: data-root of an engine. The other file names the images and packages that it was built for. */
export const composeEnginePart: Part = {
  name: 'compose-engine',
  get files() {
    return ['data', keyFile()];
  },
  async make({ settings, folder, progress }) {
    await ensureTools(settings, progress);
    const compose = join(await ensurePart(dockerComposePart, progress, settings), 'docker-compose');
    const data = join(folder, 'data');
    // Built for other images or packages: most of its images and layers are still valid.
    const former = join(settings.cache, 'parts', this.name, 'data');
    if (await stat(former).catch(() => undefined)) await rename(former, data);
    const work = await mkdtemp(join(tmpdir(), 'davit-compose-part-'));
    let builtFor = '';
    try {
      const engine = await ComposeEngine.start(data, { network: true });
      try {
        await ensureImages({ engine, settings, folder: work, progress });
        const project = await copyProject(work);
        // Of the copy: the checkout may change during the build.
        builtFor = keyFile(project);
        await progress.step('docker compose build', async () => {
          const env = { DOCKER_GID: '0' };
          const done = await engine.run(compose, ['build'], { cwd: project, env, timeoutMs: BUILD_MS });
          if (done.code !== 0) throw new Error(`docker compose build: ${outputTail(done)}`);
        });
      } finally {
        await engine.stop();
      }
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    await writeFile(join(folder, builtFor), '');
  },
};

/** Copies the files of an installation, so that nothing is written into the checkout. Returns its folder. */
export async function copyProject(into: string): Promise<string> {
  const project = join(into, 'davit');
  for (const name of PROJECT) await cp(join(ROOT, name), join(project, name), { recursive: true });
  for (const name of COMPOSE_FOLDER)
    await cp(join(ROOT, 'compose', name), join(project, 'compose', name), { recursive: true });
  return project;
}

/** What the build sees: the exceptions of `.dockerignore`, which ignores all else. */
function buildContext(): string[] {
  const lines = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
}

/** The name covers everything that a build fetches: if that changes, the part is built again. */
function keyFile(root = ROOT): string {
  const hash = createHash('sha256').update(JSON.stringify(namedImages()));
  for (const name of ['Dockerfile', 'package.json', 'package-lock.json'])
    hash.update(readFileSync(join(root, name)));
  return `made-${hash.digest('hex').slice(0, 16)}`;
}

async function ensureTools(settings: Pick<Settings, 'path'>, progress: Progress): Promise<void> {
  const missing: string[] = [];
  for (const name of ['slirp4netns', 'mmdebstrap']) if (!(await which(settings, name))) missing.push(name);
  if (missing.length === 0) return;
  if (!(await mayInstall())) throw new Error(`There is no ${missing.join(' and no ')} on this machine.`);
  await installPackages(progress, missing);
}

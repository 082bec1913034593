/** The build of a fork that looks for open ports, on the machine of `egress-machine.ts`. */
import { cpSync, createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { makeBuildImage } from '../../activities/image/build-image.ts';
import { configuredRegistries } from '../../src/adapters/registry/configured.ts';
import { buildkitPart } from '../parts/engine-parts.ts';
import { common, json, memoryLogs, runInput } from '../unit/activities/fakes.ts';
import { facts, NEIGHBOURS, REGISTRY, scan, type Machine } from './egress-machine.ts';
import { HELPER } from './job-bench.ts';
import { memorySecrets } from './job-stores.ts';

const BUILDER = 'davit-test/builder:1';
const DOCKERFILE = `FROM scratch
COPY busybox /bin/busybox
SHELL ["/bin/busybox", "sh", "-c"]
RUN /bin/busybox --install -s /bin
RUN ${scan(NEIGHBOURS).join('; ').replaceAll('\n', ' ')}; echo scanned
`;

/** `folder`: the programs of BuildKit. */
export async function foundByBuild({ box, bench, guard }: Machine, folder: string): Promise<string[]> {
  const docker = (...args: string[]) => box.run('docker', '-H', box.address, ...args);
  const context = mkdtempSync(join(tmpdir(), 'davit-builder-'));
  try {
    cpSync(folder, context, { recursive: true });
    const lines = [`FROM ${HELPER}`, ...buildkitPart.files.map((file) => `COPY ${file} /usr/local/bin/`)];
    writeFileSync(join(context, 'Dockerfile'), lines.join('\n'));
    await docker('build', '-q', '-t', BUILDER, context);
    await docker('create', '--name', 'busybox', HELPER);
    await docker('cp', 'busybox:/bin/busybox', join(context, 'busybox'));
    const archive = pack();
    archive.entry({ name: 'Dockerfile' }, DOCKERFILE);
    archive.entry({ name: 'busybox', mode: 0o755 }, await buffer(createReadStream(join(context, 'busybox'))));
    archive.finalize();
    const spec = {
      ...common,
      kind: 'build',
      arch: 'amd64',
      fork: true,
      protectedRef: false,
      source: await bench.blobs.putBytes(await buffer(archive)),
      context: '.',
      dockerfile: 'Dockerfile',
      args: {},
      repository: `${REGISTRY}/forks/table`,
      tag: 'davit-scan-amd64',
      cacheFrom: 'registry',
      cache: { read: [] },
      labels: {},
    };
    const logs = memoryLogs();
    const known = facts(bench);
    const activity = makeBuildImage({
      blobs: bench.blobs,
      logs,
      secrets: memorySecrets(),
      facts: known,
      registries: configuredRegistries(known.config.registries, memorySecrets()),
      engine: bench.engine,
      host: 'h1',
      hostName: 'bench',
      tags: [],
      frontends: ['docker/dockerfile:*'],
      egressProblem: guard.problem,
      forkBuilder: { image: BUILDER },
      variant: 'v6',
      now: Date.now,
      freeDiskSpace: async () => ({ runs: 0, images: [], cacheBytes: 0 }),
    });
    const input = runInput(await bench.blobs.putBytes(json(spec)), { kind: 'build' });
    const result = await bench.environment().run(activity, input);
    const text = logs.text();
    // The registry answers inside of the machine alone: what counts is that the line has run to its end.
    if (!text.includes('scanned')) throw new Error(`${JSON.stringify(result)}\n${text}`);
    return [...new Set([...text.matchAll(/\bopen (\S+:\d+)$/gm)].map(([, at = '']) => at))].sort();
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

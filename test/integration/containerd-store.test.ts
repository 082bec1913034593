/**
 * The engine of a new installation: Docker 29 with its containerd image store, in namespaces of its own,
 * running the files that use images and containers. `npm run test:engines` runs the whole suite on every
 * engine.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ENGINE_KINDS } from '../engines/kinds.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { ROOT } from '../support/source.ts';

const KIND = 'docker-29';
const FILES = [
  'docker.test',
  'engine-words',
  'docker-build',
  'build.test',
  'registry.test',
  'registry-collection',
  'registry-jobs',
  'registry-tokens',
  'registry-usage',
  'job-script',
  'main-job',
];
const LIMIT_MS = 900_000;
const run = promisify(execFile);

const parts = ENGINE_KINDS.find(({ name }) => name === KIND)?.parts ?? [];

await describeWithParts(
  `${KIND}, as it comes`,
  parts,
  () => {
    test(
      'the integration files about images and containers pass',
      async () => {
        const args = [
          join(ROOT, 'test', 'engines', 'run.ts'),
          KIND,
          '--',
          ...FILES.map((file) => `test/integration/${file}`),
        ];
        // Its own report and folder: the outer run counts this as one test.
        const own = Object.entries(process.env).filter(([name]) => !/^(?:VITEST|DAVIT_TEST_)/.test(name));
        const env = Object.fromEntries(own);
        const { stdout } = await run(process.execPath, args, {
          cwd: ROOT,
          env,
          timeout: LIMIT_MS,
          maxBuffer: 64 * 1_024 ** 2,
        }).catch((error: Error & { stdout?: string }) => {
          throw new Error(`${error.stdout?.slice(-8_000) ?? ''}\n${error.message.slice(0, 200)}`);
        });
        expect(stdout).toContain(`${KIND}: passed`);
      },
      LIMIT_MS + 60_000,
    );
  },
  { root: true },
);

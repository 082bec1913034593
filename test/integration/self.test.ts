/**
 * davit builds davit: the jobs of .gitlab-ci.yml, as .davit.yml includes them, run by `davit run` in this
 * checkout. The job image and its packages are this machine's own, and the integration stage is the replay of
 * recorded histories. The image of davit itself needs packages of registries, so its build is not part of
 * this test.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import type { PipelineSummary } from '../../src/plan/model/records.ts';
import { ownDavit, type OwnDavit } from '../support/davit.ts';
import { nodeImage, PACKAGES, removeImage } from '../support/node-image.ts';
import { ROOT } from '../support/source.ts';

const SETUP_MS = 300_000;
const RUN_MS = 1_200_000;
const JOBS = ['lint', 'types', 'unit', 'integration'];

let davit: OwnDavit;
let image = '';

beforeAll(async () => {
  // One job at a time: the checks of this run use all cores by themselves.
  davit = await ownDavit({ arches: ['amd64'], worker: 'slots: 1\n' });
  image = `davit-test/node:${davit.installation.slice(0, 8)}`;
  nodeImage(image);
}, SETUP_MS);

afterAll(async () => {
  await davit.stop();
  removeImage(image);
});

test(
  'lint, types, unit and integration succeed on this working tree',
  async () => {
    const values = [
      `JOB_IMAGE=${image}`,
      `INSTALL=ln -s ${PACKAGES} node_modules`,
      'INTEGRATION_TESTS=test/integration/replay.test.ts',
    ];
    const done = await davit.cli(['run', ...JOBS, ...values.flatMap((value) => ['--var', value])], {
      cwd: ROOT,
    });
    expect(done, (done.stdout + done.stderr).slice(-20_000)).toMatchObject({ code: 0 });
    const [latest] = await davit.api<PipelineSummary[]>('/api/v1/pipelines?limit=1');
    const status = await davit.api<PipelineStatus>(`/api/v1/pipelines/${latest?.id}`);
    expect(status.jobs.map((job) => `${job.key} ${job.outcome}`)).toEqual(
      JOBS.map((job) => `${job} succeeded`),
    );
  },
  RUN_MS,
);

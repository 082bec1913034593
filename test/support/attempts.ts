/** Workers with tokens of their own at a test server, and the attempts that they have. */
import type { AttemptRef, PipelineId } from '../../src/plan/model/ids.ts';
import { activityId } from '../../src/plan/model/ids.ts';
import { writeIdentity } from '../../src/plan/model/worker-identity.ts';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import { bearer, job, pipeline, type TestServer } from './server.ts';

export const identityOf = (worker: string | undefined, hostId = 'host'): string =>
  writeIdentity({ hostId, arches: ['amd64'], hostName: 'machine', pid: 1, worker });

export const attemptOf = (id: PipelineId, key: string, more: Partial<AttemptRef> = {}): AttemptRef => ({
  pipeline: id,
  job: key,
  jobId: 7,
  attempt: 1,
  epoch: 1,
  ...more,
});

/** Temporal has this activity pending, at that worker. */
export function take(
  server: TestServer,
  ref: AttemptRef,
  of: { worker?: string | undefined; type?: string; activity?: string; status?: Partial<PipelineStatus> },
): void {
  const { workflows } = server;
  const activity = of.activity ?? activityId(ref);
  workflows.open.set(
    ref.pipeline,
    pipeline(ref.pipeline, {
      project: ref.pipeline.split('/')[0] ?? '',
      jobs: [job(ref.job, { jobId: ref.jobId, attempt: ref.attempt, phase: 'running' })],
      ...of.status,
    }),
  );
  workflows.pending = [
    ...workflows.pending.filter((one) => one.activityId !== activity),
    {
      activityId: activity,
      started: true,
      taken: true,
      type: of.type ?? 'runJob',
      identity: identityOf(of.worker),
    },
  ];
}

/** Status and body of the answer of the route that mints. */
export async function mint(
  server: TestServer,
  token: string,
  ref: AttemptRef,
  of: { worker?: string | undefined; activity?: string; run?: string; former?: string } = {},
): Promise<{ status: number; code?: string; token: string }> {
  const answer = await server.app.inject({
    method: 'POST',
    url: '/internal/v1/attempts',
    headers: bearer(token),
    payload: {
      ref,
      activity: of.activity ?? activityId(ref),
      run: of.run ?? server.workflows.runId,
      identity: identityOf(of.worker),
      ...(of.former !== undefined && { former: of.former }),
    },
  });
  const body = answer.json();
  return { status: answer.statusCode, code: body.error?.code, token: body.token ?? '' };
}

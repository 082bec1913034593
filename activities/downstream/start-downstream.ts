/**
 * Starts the pipeline that a trigger job asks for, in the same project (a child) or another one. A repeated
 * call with the same job and attempt starts nothing more: the project's intake knows the key, and reports the
 * existing pipeline.
 *
 * DOWN-1 A pipeline of a fork starts nothing in another project.
 * DOWN-2 Another project names who may start its pipelines (`triggered_by`), and only protected pipelines may
 *        use its protected refs: nobody reaches production through an unprotected branch.
 * DOWN-3 Variables are passed in a blob, secrets as references: neither is in the history of a workflow.
 */
import type {
  BlobStore,
  PipelineStarter,
  RecordStore,
  Rights,
  Secrets,
  Source,
} from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { MAX_DEPTH, MAX_REPEATS, MAX_TREE, type DownstreamConfig } from '../../src/plan/model/downstream.ts';
import { treeCounter } from '../../src/plan/model/records.ts';
import type { TriggerSpec } from '../../src/plan/model/spec.ts';
import { downstreamKey, type Trigger, type Upstream } from '../../src/plan/model/trigger.ts';
import { refProtection } from '../../src/match/protected-refs.ts';
import type { ControlActivities, DownstreamAnswer, DownstreamInput } from '../contract.ts';
import { keptDefaultBranch } from '../runtime/project-access.ts';
import { withForgeRefs } from '../runtime/protected-refs.ts';
import { childFile, forwardedVariables, readSpec } from './config.ts';
import { cloneAuth } from '../../src/utils/clone-auth.ts';

export interface DownstreamDeps {
  blobs: BlobStore;
  records: RecordStore;
  source: Pick<Source, 'heads'>;
  secrets: Secrets;
  workflows: PipelineStarter;
  facts: InstallationFacts;
  rights: Pick<Rights, 'protection'>;
}
/** A final refusal, shown at the trigger job. An outage rejects with another code, and is retried. */
const refuse = (message: string): DavitError => new DavitError('trigger/refused', message);

export function makeStartDownstream(deps: DownstreamDeps): ControlActivities['startDownstream'] {
  return async (input) => {
    try {
      return await start(deps, input);
    } catch (error) {
      if (error instanceof DavitError && FINAL.includes(error.code)) return { refused: error.message };
      throw error;
    }
  };
}
const FINAL: readonly DavitError['code'][] = [
  'trigger/refused',
  'source/refused',
  'blob/missing',
  'git/denied',
  'git/bad-request',
  'secret/missing',
];

async function start(deps: DownstreamDeps, input: DownstreamInput): Promise<DownstreamAnswer> {
  const spec = await readSpec(deps.blobs, input.spec);
  const child = 'include' in spec.to;
  const known = child ? ofChild(input) : await ofOther(deps, input, spec);
  await checkTree(deps.records, input);
  const config: DownstreamConfig = {
    version: 1,
    variables: await forwardedVariables(deps.blobs, spec, input.dotenv),
    ...('include' in spec.to && (await childFile(deps.blobs, { include: spec.to.include, input }))),
  };
  const blob = await deps.blobs.putBytes(new TextEncoder().encode(JSON.stringify(config)));
  const { ref, number } = input;
  const above = input.trigger.upstream;
  const upstream: Upstream = {
    pipeline: ref.pipeline,
    job: ref.job,
    attempt: ref.attempt,
    ...(input.strategy && { strategy: input.strategy }),
    config: blob,
    depth: child ? (above?.depth ?? 0) + 1 : 0,
    ...(child && { family: above?.family ?? number }),
    root: above?.root ?? number,
    origin: child ? (above?.origin ?? input.trigger.source) : known.source,
    chain: chainOf(input, child ? undefined : known),
  };
  const trigger: Trigger = {
    ...known,
    key: downstreamKey(upstream),
    deliveryId: downstreamKey(upstream),
    ...(spec.inputs && { inputs: spec.inputs }),
    upstream,
  };
  await deps.workflows.start(trigger);
  return { project: trigger.project };
}

type Known = Omit<Trigger, 'key' | 'deliveryId' | 'upstream'>;

/** Project, ref, commit and requester are those of the parent. */
function ofChild({ trigger, at }: DownstreamInput): Known {
  const depth = (trigger.upstream?.depth ?? 0) + 1;
  if (depth > MAX_DEPTH)
    throw refuse(
      `Children of pipelines go ${MAX_DEPTH} levels deep, as in GitLab; this would be level ${depth}.`,
    );
  const {
    variables: _variables,
    inputs: _inputs,
    jobs: _jobs,
    file: _file,
    reconciled: _found,
    again: _again,
    ...same
  } = trigger;
  return { ...same, source: 'parent_pipeline', receivedAt: at };
}

async function ofOther(deps: DownstreamDeps, input: DownstreamInput, spec: TriggerSpec): Promise<Known> {
  const to = 'project' in spec.to ? spec.to : { project: '' };
  const { trigger } = input;
  if (trigger.fork) throw refuse('A pipeline of a fork cannot start a pipeline of another project.');
  const target = deps.facts.config.projects.find(
    (one) => one.repository === to.project || one.name === to.project,
  );
  if (!target) throw refuse(`There is no project ${to.project} in this installation.`);
  if (target.name === trigger.project)
    throw refuse('A job starts a pipeline of its own project with trigger:include only.');
  if (!target.triggered_by.some((one) => one === trigger.project || one === '*'))
    throw refuse(
      `${target.name} does not let ${trigger.project} start its pipelines: its entry in the installation file says who may, under triggered_by.`,
    );
  const main = await keptDefaultBranch(deps.records, target);
  const ref = to.branch ?? main;
  const head = await headOf(deps, target, ref);
  if (!spec.protectedRef) {
    const protection = refProtection(await withForgeRefs(deps.rights, target), head.refKind, ref);
    if (protection === 'protected')
      throw refuse(
        `${ref} of ${target.name} is protected, and this pipeline is not, so it may not start one there.`,
      );
    if (protection === 'unknown')
      throw refuse(
        `This pipeline is not protected, and the forge has not said yet whether ${ref} of ${target.name} is, so it may not start one there.`,
      );
  }
  return { ...head, ...fromHere(input, target), defaultBranch: main };
}

const fromHere = ({ ref, trigger, at }: DownstreamInput, target: InstallationProject) => ({
  project: target.name,
  source: 'pipeline' as const,
  before: '0'.repeat(40),
  title: `Started by ${ref.job} of ${ref.pipeline}`,
  actor: trigger.actor,
  ...(trigger.role && { role: trigger.role }),
  ...(trigger.startedBefore && { startedBefore: trigger.startedBefore }),
  fork: false,
  receivedAt: at,
});

/** GitLab: a name that is both a branch and a tag is refused. */
async function headOf(
  deps: DownstreamDeps,
  target: InstallationProject,
  ref: string,
): Promise<Pick<Trigger, 'ref' | 'refKind' | 'sha'>> {
  if (target.clone_url === undefined)
    throw refuse(`davit does not know where the source of ${target.name} is: its entry has no clone_url.`);
  const auth = await cloneAuth(target, deps.secrets);
  const heads = await deps.source.heads({ url: target.clone_url, auth });
  const branch = heads.find((head) => head.ref === `refs/heads/${ref}`);
  const tag = heads.find((head) => head.ref === `refs/tags/${ref}`);
  if (branch && tag) throw refuse(`${ref} is both a branch and a tag of ${target.name}.`);
  const found = branch ?? tag;
  if (!found) throw refuse(`${target.name} has no branch and no tag ${ref}.`);
  return { ref, refKind: branch ? 'branch' : 'tag', sha: found.commit };
}

/** A cycle is refused when the same project, ref and source would appear a third time. */
function chainOf({ trigger }: DownstreamInput, next: Known | undefined): string[] {
  const link = (of: Pick<Trigger, 'project' | 'ref' | 'source'>): string =>
    `${of.project} ${of.ref} ${of.source}`;
  const above = trigger.upstream?.chain ?? [link(trigger)];
  if (!next) return above;
  const chain = [...above, link(next)];
  if (chain.filter((one) => one === link(next)).length > MAX_REPEATS)
    throw refuse(`The pipelines trigger each other in a circle: ${chain.join(' -> ')}.`);
  return chain;
}

/** Counted by key: the same job and attempt count once. */
async function checkTree(records: RecordStore, { trigger, ref, number }: DownstreamInput): Promise<void> {
  const root = trigger.upstream?.root ?? number;
  const claim = `${ref.pipeline}.${ref.jobId}.${ref.attempt}`.replaceAll('/', '.');
  const count = await records.allocate(treeCounter(root), claim, 1);
  if (count >= MAX_TREE)
    throw refuse(`A pipeline and all that it starts are at most ${MAX_TREE} pipelines, as in GitLab.`);
}

/**
 * Everything outside the source that a pipeline's file includes. The answers of other projects, servers and
 * git are pinned: once a plan is made they are kept under the pipeline's id. A second attempt of this
 * activity, or a later reader, compiles the same pipeline even if the included files have changed.
 */
import { Context } from '@temporalio/activity';
import type { BlobStore, RecordStore } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import { loadIncludes, type IncludeSource } from '../../src/compiler/includes.ts';
import type { CompileRequest } from '../../src/compiler/request.ts';
import type { Digest, PipelineId } from '../../src/plan/model/ids.ts';
import {
  includeKey,
  isRemoteKey,
  type IncludeAnswers,
  type IncludeRefusal,
} from '../../src/plan/model/includes.ts';
import { includesRecordName, type IncludesRecord } from '../../src/plan/model/records.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';

/**
 * Number of attempts after which an outage of an included file is reported as a mistake, with its place; the
 * workflow gives up two attempts later.
 */
const PATIENT_TRIES = 6;
/** Enough for 150 files of 1 MiB and the lists of files. */
const MAX_BYTES = 256 * 1024 * 1024;

interface Deps {
  blobs: BlobStore;
  records: RecordStore;
}
type World = Pick<IncludeSource, 'elsewhere' | 'changed'>;
/** By the ref that was compared with; null if git does not know that ref. */
type Changed = Record<string, readonly string[] | null>;

/** Asks the outside world, each question once. */
export interface Pins extends World {
  /**
   * Keeps all answers. Returns false if another attempt was faster; then the answers of that attempt are
   * used.
   */
  keep(): Promise<boolean>;
}

export async function openPins(
  deps: Deps,
  id: PipelineId,
  world: World & { trigger: Pick<Trigger, 'sourceBlob'> },
): Promise<Pins> {
  let pinned = await readPins(deps, id);
  let answers: IncludeAnswers = pinned?.answers ?? {};
  let changed: Changed = pinned?.changed ?? {};
  return {
    async elsewhere(wants) {
      const open = wants.filter((want) => !answers[includeKey(want)]);
      if (open.length > 0) answers = { ...answers, ...(await world.elsewhere(open)) };
      return Object.fromEntries(
        wants.flatMap((want) => {
          const answer = answers[includeKey(want)];
          return answer ? [[includeKey(want), answer]] : [];
        }),
      );
    },
    async changed(names) {
      // For `davit run` the trigger itself contains the answer, which never changes.
      if (world.trigger.sourceBlob !== undefined || names.length === 0) return world.changed(names);
      const open = names.filter((name) => !Object.hasOwn(changed, name));
      const found = open.length > 0 ? await world.changed(open) : {};
      changed = { ...changed, ...Object.fromEntries(open.map((name) => [name, own(found, name)])) };
      return Object.fromEntries(
        names.flatMap((name) => {
          const paths = changed[name];
          return paths ? [[name, paths]] : [];
        }),
      );
    },
    async keep() {
      const nothing = Object.keys(answers).length === 0 && Object.keys(changed).length === 0;
      if (pinned || nothing || (await writePins(deps, id, { answers, changed }))) return true;
      pinned = await readPins(deps, id);
      ({ answers, changed = {} } = pinned ?? { answers });
      return false;
    },
  };
}

/**
 * The request with all files that its includes name. Rejects with `git/unreachable` while the forge of a project is
 * away, which is waited for, and with `include/unreachable` while a retry may help; a refusal is left to the compiler,
 * which reports it with its place.
 */
export async function withIncludes(request: CompileRequest, source: IncludeSource): Promise<CompileRequest> {
  const loaded = await loadIncludes(request, source);
  const refusals = Object.values(loaded.responses ?? {}).flatMap((answer) =>
    'refused' in answer ? [answer.refused] : [],
  );
  const away = repositoryAway(loaded.responses ?? {});
  if (away) throw new DavitError('git/unreachable', away.message, { hint: away.hint });
  const outage = refusals.find((one) => one.code === 'include/unreachable');
  if (outage && Context.current().info.attempt < PATIENT_TRIES)
    throw new DavitError(outage.code, outage.message, { hint: outage.hint });
  return { ...request, ...loaded };
}

/** The outage of a repository, and not that of a file from an https server. */
const repositoryAway = (responses: IncludeAnswers): IncludeRefusal | undefined =>
  Object.entries(responses).flatMap(([key, answer]) =>
    'refused' in answer && answer.refused.code === 'include/unreachable' && !isRemoteKey(key)
      ? [answer.refused]
      : [],
  )[0];

/** A branch may have the name of a property of every object, such as `constructor`. */
const own = (found: Readonly<Record<string, readonly string[]>> | undefined, name: string) =>
  (found && Object.hasOwn(found, name) && found[name]) || null;

interface Pinned {
  answers: IncludeAnswers;
  changed?: Changed;
}

async function readPins({ blobs, records }: Deps, id: PipelineId): Promise<Pinned | undefined> {
  const record = await records.get<IncludesRecord>(includesRecordName(id));
  if (!record) return undefined;
  const read = async (digest: Digest): Promise<unknown> =>
    JSON.parse(new TextDecoder().decode(await blobs.getBytes(digest, MAX_BYTES)));
  // Written by `writePins`, under the digests of the answers.
  return {
    answers: (await read(record.answers)) as IncludeAnswers,
    ...(record.changed && { changed: (await read(record.changed)) as Changed }),
  };
}

/** Returns false if the record exists already. */
async function writePins(
  { blobs, records }: Deps,
  id: PipelineId,
  { answers, changed }: Required<Pinned>,
): Promise<boolean> {
  const write = (value: unknown): Promise<Digest> =>
    blobs.putBytes(new TextEncoder().encode(JSON.stringify(value)));
  const mine: IncludesRecord = {
    answers: await write(answers),
    ...(Object.keys(changed).length > 0 && { changed: await write(changed) }),
  };
  return (await records.putIfAbsent(includesRecordName(id), mine)).created;
}

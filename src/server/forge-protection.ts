/**
 * The branches and tags that forges protect, for projects with `protected_from: forge`. Only the server asks the
 * forges, so that all parts of davit use the same list.
 *
 * FORGE-REFS-1 A list is read again after FRESH_MS, and after a failure not before RETRY_MS, so many requests make
 *              few calls.
 * FORGE-REFS-2 While the forge does not answer, the last known list is used, also after a restart. Without one the
 *              answer is unknown.
 * FORGE-REFS-3 A list belongs to one forge and repository. After these change in the installation file, it is not
 *              used.
 */
import type { ForgeRefs, RecordStore } from '../adapters/ports.ts';
import type { InstallationProject } from '../installation.ts';
import type { ForgeProtection } from '../match/forge-refs.ts';
import { forgeRefsRecordName, type ForgeRefsRecord } from '../plan/model/records.ts';
import { messageOf } from '../utils/message.ts';
import type { ServerLog } from './log.ts';

/** A change at the forge counts after this time at the latest. */
const FRESH_MS = 30_000;
const RETRY_MS = 10_000;
/** A person waits for it. */
const READ_MS = 8_000;

/** Undefined where the file itself has the lists, and where nobody could read those of the forge. */
export type ProtectionOf = (project: InstallationProject) => Promise<ForgeProtection | undefined>;

interface Known {
  place: string;
  protects?: ForgeProtection;
  /** Epoch ms of the server's clock. */
  nextReadAt: number;
  reading?: Promise<void>;
  failed?: boolean;
}
export interface ForgeProtectionDeps {
  forge: ForgeRefs;
  records: Pick<RecordStore, 'get' | 'put'>;
  log: Pick<ServerLog, 'warn' | 'note'>;
  now?(): number;
}

export function forgeProtection(deps: ForgeProtectionDeps): ProtectionOf {
  const now = deps.now ?? Date.now;
  const all = new Map<string, Known>();
  const knownOf = async (project: InstallationProject): Promise<Known> => {
    const place = placeOf(project);
    const found = all.get(project.name);
    if (found?.place === place) return found;
    const stored = await deps.records.get<ForgeRefsRecord<ForgeProtection>>(
      forgeRefsRecordName(project.name),
    );
    const known: Known = {
      place,
      ...(stored?.place === place && { protects: stored.protects }),
      nextReadAt: 0,
    };
    // Two requests may have come here at once: they share one.
    const other = all.get(project.name);
    if (other?.place === place) return other;
    all.set(project.name, known);
    return known;
  };
  return async (project) => {
    if (project.protected_from !== 'forge') return undefined;
    const known = await knownOf(project);
    if (known.reading || now() >= known.nextReadAt) {
      known.reading ??= read(deps, project, { known, now }).finally(() => delete known.reading);
      await known.reading;
    }
    return known.protects;
  };
}

async function read(
  { forge, records, log }: ForgeProtectionDeps,
  project: InstallationProject,
  { known, now }: { known: Known; now: () => number },
): Promise<void> {
  try {
    known.protects = await forge.read(project, AbortSignal.timeout(READ_MS));
    known.nextReadAt = now() + FRESH_MS;
    if (known.failed) log.note('protected refs are read from the forge again', { project: project.name });
    known.failed = false;
  } catch (error) {
    known.nextReadAt = now() + RETRY_MS;
    if (!known.failed)
      log.warn(
        known.protects
          ? 'cannot read protected refs from the forge; the last known ones count'
          : 'cannot read protected refs from the forge; none are known, so no ref gets protected variables',
        { project: project.name, reason: messageOf(error) },
      );
    known.failed = true;
    return;
  }
  await records.put<ForgeRefsRecord<ForgeProtection>>(forgeRefsRecordName(project.name), {
    place: known.place,
    protects: known.protects,
    readAt: now(),
  });
}

/** FORGE-REFS-3 */
const placeOf = ({ forge, forge_url, repository }: InstallationProject): string =>
  [forge, forge_url ?? '', repository ?? ''].join(' ');

/**
 * Deploy tokens: a target pulls one repository with one, also days after the job, when it starts a task again. There is
 * one for each target and repository; after it was revoked, the next deployment gets another.
 */
import type { RecordStore } from '../../adapters/ports.ts';
import { DavitError } from '../../errors.ts';
import { DEPLOY_TOKENS, deployTokenName, type DeployTokenRecord } from '../../plan/model/records.ts';
import { sha256 } from '../../utils/sha256.ts';

export interface DeployTokens {
  /** The id of the one that counts; made if there is none. */
  current(of: Pick<DeployTokenRecord, 'project' | 'target' | 'repository'>): Promise<string>;
  /** The repository that it pulls; undefined: unknown or revoked. */
  repositoryOf(id: string): Promise<string | undefined>;
  /** Newest first. */
  list(): Promise<DeployTokenRecord[]>;
  /** Rejects with `not-found`. */
  revoke(id: string, by: string): Promise<DeployTokenRecord>;
}

const PLACE_CHARS = 16;
const ID = new RegExp(`^([0-9a-f]{${PLACE_CHARS}})-(\\d{6})$`);
const MAX_LISTED = 10_000;

export function deployTokens(
  records: Pick<RecordStore, 'get' | 'put' | 'putIfAbsent' | 'list'>,
): DeployTokens {
  const find = async (id: string): Promise<{ name: string; record: DeployTokenRecord } | undefined> => {
    const [, place, number] = ID.exec(id) ?? [];
    if (place === undefined || number === undefined) return undefined;
    const name = deployTokenName(place, number);
    const record = await records.get<DeployTokenRecord>(name);
    return record && { name, record };
  };
  const read = async (name: string): Promise<DeployTokenRecord[]> => {
    const record = await records.get<DeployTokenRecord>(name);
    return record ? [record] : [];
  };
  return {
    async current(of) {
      const place = sha256(JSON.stringify([of.target, of.repository])).slice(0, PLACE_CHARS);
      for (;;) {
        const [newest] = await records.list(`${DEPLOY_TOKENS}${place}`, 1);
        const last = newest === undefined ? undefined : await records.get<DeployTokenRecord>(newest);
        if (last && last.revokedAt === undefined) return last.id;
        const number = String(Number(last?.id.split('-')[1] ?? 0) + 1).padStart(6, '0');
        const id = `${place}-${number}`;
        // Two deployments at the same time get the same one.
        await records.putIfAbsent<DeployTokenRecord>(deployTokenName(place, number), {
          id,
          ...of,
          createdAt: Date.now(),
        });
      }
    },
    async repositoryOf(id) {
      const record = (await find(id))?.record;
      return record?.revokedAt === undefined ? record?.repository : undefined;
    },
    list: async () =>
      (await Promise.all((await records.list(DEPLOY_TOKENS.slice(0, -1), MAX_LISTED)).map(read)))
        .flat()
        .sort((a, b) => b.createdAt - a.createdAt),
    async revoke(id, by) {
      const found = await find(id);
      if (!found)
        throw new DavitError('not-found', `There is no deploy token ${id}.`, {
          hint: 'davit deploy-token list shows them.',
        });
      if (found.record.revokedAt !== undefined) return found.record;
      const revoked = { ...found.record, revokedAt: Date.now(), revokedBy: by };
      await records.put(found.name, revoked);
      return revoked;
    },
  };
}

/**
 * The registry of `davit up` for other machines: `HOME/registry.json` says by which name engines reach it, and where
 * davit listens for them with a certificate of its own authority.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../../config.ts';
import { authorityFolder, issueCertificate } from '../authority/authority.ts';
import { readJson, writeJson } from '../process/files.ts';

const CERTIFICATE_DAYS = 397;
const RENEWED_DAYS = 60;
/** Names of the certificate's files, in the folder of the authority. */
const CERTIFICATE = 'registry';

const schema = z.object({
  /** `HOST:PORT`, as in names of images. */
  host: z.string(),
  /** Address of this machine that davit listens on. */
  listen: z.string(),
});
export type SharedRegistry = z.infer<typeof schema>;

const fileOf = ({ home }: Pick<Settings, 'home'>): string => join(home, 'registry.json');

/** Undefined: only this machine has it, on its loopback. */
export async function readSharedRegistry(
  settings: Pick<Settings, 'home'>,
): Promise<SharedRegistry | undefined> {
  const parsed = schema.safeParse(await readJson(fileOf(settings)));
  return parsed.success ? parsed.data : undefined;
}

export const writeSharedRegistry = (
  settings: Pick<Settings, 'home'>,
  shared: SharedRegistry,
): Promise<void> => writeJson(fileOf(settings), shared);

export const removeSharedRegistry = (settings: Pick<Settings, 'home'>): Promise<void> =>
  rm(fileOf(settings), { force: true });

export interface RegistryCertificate {
  cert: string;
  key: string;
  /** The authority, for engines. */
  ca: string;
}

/** Issues the certificate, or renews it in time; its key stays. Rejects with `ca/missing`. */
export async function ensureRegistryCertificate(
  settings: Pick<Settings, 'home'>,
  { host }: Pick<SharedRegistry, 'host'>,
): Promise<RegistryCertificate> {
  const folder = authorityFolder(settings);
  await issueCertificate(folder, {
    name: CERTIFICATE,
    kind: 'registry',
    hosts: [nameOf(host)],
    days: CERTIFICATE_DAYS,
    keepDays: RENEWED_DAYS,
  });
  return {
    cert: join(folder, `${CERTIFICATE}.crt`),
    key: join(folder, `${CERTIFICATE}.key`),
    ca: join(folder, 'ca.crt'),
  };
}

/** Without port, and without the brackets of an IPv6 address. */
export const nameOf = (host: string): string => host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
export const portOf = (host: string): number => Number(/:(\d+)$/.exec(host)?.[1] ?? 443);

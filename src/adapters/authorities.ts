/** Authorities that the installation file names for one system: a registry, or a forge. */
import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import { Agent } from 'undici';
import { DavitError } from '../errors.ts';

/** PEM. Rejects with `tls/file`. */
export async function readAuthority(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new DavitError('tls/file', `The authority in ${path} cannot be read.`, {
      hint: 'ca_file and forge_ca_file are read on the machine that calls the registry or the forge.',
      cause,
    });
  }
}

/** An authority beside the well-known ones. */
export const withAuthority = (pem: string | undefined): { ca?: string[] } =>
  pem === undefined ? {} : { ca: [...getCACertificates('default'), pem] };

/** One agent for each authority; a file that changes gets a new one. */
export class TrustingAgents {
  readonly #known = new Map<string, { pem: string; agent: Agent }>();

  /** Undefined: the process's own. Rejects with `tls/file`. */
  async of(path: string | undefined): Promise<Agent | undefined> {
    if (path === undefined) return undefined;
    const pem = await readAuthority(path);
    const known = this.#known.get(path);
    if (known?.pem === pem) return known.agent;
    const agent = new Agent({ connect: withAuthority(pem) });
    this.#known.set(path, { pem, agent });
    return agent;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#known.values()].map(({ agent }) => agent.destroy()));
  }
}

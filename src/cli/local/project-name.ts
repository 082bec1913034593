/**
 * The name of a working tree's project. Two repositories of one name share nothing: the first that runs here keeps it, as a
 * file in davit's home says, and another one gets it with a part of the hash of what it is (remote, else folder) behind it. The
 * installation file comes first: a clone of the repository of one of its projects is that project.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import type { InstallationProject } from '../../installation.ts';
import { readInstallation } from '../../local/setup/installation.ts';
import type { Origin } from '../../plan/model/trigger.ts';
import { findProject, type LocalProject } from '../../worktree/project.ts';
import { originOf } from '../../worktree/remote.ts';
import { sha256 } from '../../utils/sha256.ts';
import type { Cli } from '../cli.ts';

const HASH_CHARS = 6;
/** A project's name has at most 63 characters. */
const MAX_NAME = 63 - HASH_CHARS - 1;

type Home = Pick<Cli['settings'], 'home'>;
const fileOf = ({ home }: Home, slug: string): string => join(home, 'projects', slug);

/** `findProject`, with the name that the project has here. */
export async function findNamedProject(cli: Cli, cwd: string, file?: string): Promise<LocalProject> {
  const project = await findProject(cwd, file);
  const { projects } = (await readInstallation(cli.settings)).installation;
  const { origin } = project;
  const known = origin && projects.find((one) => isAt(one, origin));
  if (known) return { ...project, slug: known.name, installed: true };
  const other = projects.find((one) => one.name === project.slug && one.repository !== undefined);
  const owner = await ownerOf(cli.settings, project.slug);
  const isFree = owner === undefined || owner === project.identity;
  // Without a remote it may be that project: nothing else says what it is.
  if (isFree && !(origin && other)) return project;
  const name = project.slug.slice(0, MAX_NAME).replace(/[^a-z0-9]+$/, '');
  return { ...project, slug: `${name}-${sha256(project.identity).slice(0, HASH_CHARS)}` };
}

/** The forge's address of a project, as far as the installation file says it. */
function isAt(project: InstallationProject, { host, path }: Origin): boolean {
  if (project.repository?.toLowerCase() !== path.toLowerCase()) return false;
  const hosts = [project.forge_url, project.clone_url].flatMap(
    (url) => originOf(url)?.host ?? hostOf(url) ?? [],
  );
  // A remote over ssh has another port than the forge's page.
  return hosts.length === 0 || hosts.map(withoutPort).includes(withoutPort(host));
}

const withoutPort = (host: string): string => host.replace(/:\d+$/, '');
const hostOf = (url: string | undefined): string | undefined =>
  url !== undefined && URL.canParse(url) && new URL(url).host !== ''
    ? new URL(url).host.toLowerCase()
    : undefined;

/** Keeps the name for this project from now on; that of the installation file needs nothing for it. */
export async function keepName(settings: Home, { slug, identity, installed }: LocalProject): Promise<void> {
  if (installed) return;
  try {
    await mkdir(join(settings.home, 'projects'), { recursive: true, mode: 0o700 });
    await writeFile(fileOf(settings, slug), `${identity}\n`, { flag: 'wx', mode: 0o600 });
  } catch {
    // It is there already, or the home cannot be written to, as on a machine that only uses a server elsewhere.
    const owner = await ownerOf(settings, slug);
    if (owner === undefined || owner === identity) return;
    throw new DavitError('usage/invalid', `Another repository has just got the name ${slug}.`, {
      hint: 'Run the command again: this one gets a name of its own.',
    });
  }
}

async function ownerOf(settings: Home, slug: string): Promise<string | undefined> {
  try {
    return (await readFile(fileOf(settings, slug), 'utf8')).trim();
  } catch {
    return undefined; // no project has the name yet
  }
}

/**
 * The name of a working tree's project. Two repositories of one name share nothing: the first that runs here keeps it, as a
 * file in davit's home says, and another one gets it with a part of the hash of what it is (remote, else folder) behind it.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError } from '../../errors.ts';
import { findProject, type LocalProject } from '../../worktree/project.ts';
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
  const owner = await ownerOf(cli.settings, project.slug);
  if (owner === undefined || owner === project.identity) return project;
  const name = project.slug.slice(0, MAX_NAME).replace(/[^a-z0-9]+$/, '');
  return { ...project, slug: `${name}-${sha256(project.identity).slice(0, HASH_CHARS)}` };
}

/** Keeps the name for this project from now on. */
export async function keepName(settings: Home, { slug, identity }: LocalProject): Promise<void> {
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

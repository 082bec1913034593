/** Where the protected refs of the installation file and those of the forge differ. */
import { forgeRefs } from '../../adapters/forge/index.ts';
import type { ForgeRefs } from '../../adapters/ports.ts';
import { readingSecrets } from '../../adapters/secrets/index.ts';
import { readEnvSecret, type Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import type { InstallationProject } from '../../installation.ts';
import { forgeProtects, type ForgeProtection, type ForgeRefPattern } from '../../match/forge-refs.ts';
import { isProtectedRef, type RefKind } from '../../match/protected-refs.ts';
import { messageOf } from '../../utils/message.ts';
import { readInstallation } from '../setup/installation.ts';
import { fail, finding, ok, warn, type Finding } from './check.ts';

/** Compares each project that has a forge and a forge_token. Never rejects. */
export async function checkProtectedRefs(settings: Settings): Promise<Finding[]> {
  return finding('protected refs', async () => {
    const { installation } = await readInstallation(settings);
    return refFindings(installation.projects, forgeRefs({ secrets: readingSecrets(readEnvSecret) }));
  });
}

export async function refFindings(
  projects: readonly InstallationProject[],
  forge: ForgeRefs,
): Promise<Finding[]> {
  const asked = projects.filter(
    (one) => one.protected_from === 'forge' || (one.forge !== 'none' && one.forge_token && one.repository),
  );
  return Promise.all(asked.map((project) => ofProject(project, forge)));
}

async function ofProject(project: InstallationProject, forge: ForgeRefs): Promise<Finding> {
  const name = nameOf(project);
  try {
    return compareRefs(project, await forge.read(project));
  } catch (error) {
    const remedy =
      (error instanceof DavitError && error.hint) || 'Check forge_url, repository and forge_token.';
    const code = error instanceof DavitError ? error.code : 'internal/defect';
    const found =
      project.protected_from === 'forge'
        ? fail(name, `They come from the forge, which does not say them: ${messageOf(error)}`, remedy)
        : warn(name, `They cannot be compared with those of the forge: ${messageOf(error)}`, remedy);
    return { ...found, code };
  }
}

/** Pure. */
export function compareRefs(project: InstallationProject, forge: ForgeProtection): Finding {
  const name = nameOf(project);
  if (project.protected_from === 'forge') return ofForge(project, forge);
  const lists = {
    branch: { own: project.protected_branches ?? project.protected_refs, theirs: forge.branches },
    tag: { own: project.protected_tags, theirs: forge.tags },
  };
  const kinds = ['branch', 'tag'] as const;
  const open = kinds.flatMap((kind) => onlyInFile(lists[kind]).map((text) => `${kind} ${text}`));
  const missing = kinds.flatMap((kind) => onlyAtForge(project, kind, lists[kind].theirs));
  if (open.length + missing.length === 0)
    return ok(name, 'The installation file and the forge protect the same.');
  const differences = [
    ...(open.length > 0
      ? [`protected here, while the forge lets everybody with write access push: ${open.join(', ')}`]
      : []),
    ...(missing.length > 0 ? [`protected by the forge alone: ${missing.join(', ')}`] : []),
  ];
  return warn(
    name,
    `The installation file and the forge differ: ${differences.join('; ')}.`,
    `Set protected_from: forge at the project ${project.name}, protect the refs at the forge, or change the lists: ${listsOf(forge)}`,
  );
}

function ofForge(project: InstallationProject, forge: ForgeProtection): Finding {
  const name = nameOf(project);
  const texts = (patterns: readonly ForgeRefPattern[]): string =>
    patterns.map((one) => one.written).join(', ') || 'none';
  const found = `From the forge: branches ${texts(forge.branches)}; tags ${texts(forge.tags)}.`;
  const unused = [
    ...(project.protected_branches || project.protected_refs.join() !== 'main,master'
      ? ['protected_branches']
      : []),
    ...(project.protected_tags.length > 0 ? ['protected_tags'] : []),
  ];
  if (unused.length === 0) return ok(name, found);
  return warn(
    name,
    `${found} The file's own ${unused.join(' and ')} are not used.`,
    `Remove them from the project ${project.name}, or set protected_from: file.`,
  );
}

const onlyInFile = ({
  own,
  theirs,
}: {
  own: readonly string[];
  theirs: readonly ForgeRefPattern[];
}): string[] =>
  own.filter((pattern) => {
    if (!pattern.includes('*')) return forgeProtects(theirs, pattern) !== 'protected';
    return !theirs.some((one) => asWildcard(one) === pattern);
  });

function onlyAtForge(
  project: InstallationProject,
  kind: Exclude<RefKind, 'merge_request'>,
  theirs: readonly ForgeRefPattern[],
): string[] {
  return theirs.flatMap((one) => {
    const same = asWildcard(one);
    if (same === undefined) return [`${kind} ${one.written} (the file has no such pattern)`];
    const own =
      kind === 'tag' ? project.protected_tags : (project.protected_branches ?? project.protected_refs);
    const has = same.includes('*') ? own.includes(same) : isProtectedRef(project, kind, same);
    return has ? [] : [`${kind} ${one.written}`];
  });
}

/** The pattern of the installation file that means the same; undefined when there is none. */
function asWildcard({ written, syntax, except }: ForgeRefPattern): string | undefined {
  if (except) return undefined;
  const isPlain = !/[*?[\]{}\\]/.test(written);
  switch (syntax) {
    case 'name':
      return written.includes('*') ? undefined : written;
    case 'all':
      return '*';
    case 'wildcard':
      return written;
    case 'text':
      return /[?[\]{}\\]/.test(written) ? undefined : written.replaceAll(/\*+/g, '*');
    case 'path':
      return /[?[\]{}\\]|(?<!\*)\*(?!\*)/.test(written) ? undefined : written.replaceAll(/\*+/g, '*');
    case 'fnmatch':
      return isPlain ? written : undefined;
    case 'regex':
      return undefined;
  }
}

function listsOf({ branches, tags }: ForgeProtection): string {
  const list = (patterns: readonly ForgeRefPattern[]): string =>
    `[${patterns
      .flatMap((one) => asWildcard(one) ?? [])
      .map((text) => `'${text}'`)
      .join(', ')}]`;
  return `protected_branches: ${list(branches)}, protected_tags: ${list(tags)}`;
}

const nameOf = (project: InstallationProject): string => `protected refs of ${project.name}`;

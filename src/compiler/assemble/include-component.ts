/**
 * Components: `HOST/GROUP/PROJECT/NAME@VERSION` is `templates/NAME.yml` or `templates/NAME/template.yml` of
 * that project.
 */
import type { IncludeAnswer, IncludeRepository, IncludeWant } from '../../plan/model/includes.ts';
import type { Base, Found } from './include-scope.ts';

export interface ComponentAddress {
  repository: Required<IncludeRepository>;
  name: string;
  version: string;
}

/** Returns the reason if the address is invalid, to follow "include". */
export function parseComponent(address: string): ComponentAddress | string {
  const at = address.indexOf('@');
  if (at <= 0 || at === address.length - 1) return `"${address}" does not name a version of a component`;
  const [host = '', ...parts] = address.slice(0, at).split('/');
  const name = parts.pop();
  if (!HOST.test(host)) return `"${address}" does not begin with a host`;
  if (parts.length === 0 || name === undefined || [name, ...parts].some((part) => !PART.test(part)))
    return `"${address}" is not the address of a component`;
  return {
    repository: { host: host.toLowerCase(), path: parts.join('/') },
    name,
    version: address.slice(at + 1),
  };
}
const HOST = /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/;
/** A segment of a path at a forge. */
const PART = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** Undefined: something is not known yet, or was refused. */
export function componentFile(
  { repository, name, version }: ComponentAddress,
  ask: (want: IncludeWant) => IncludeAnswer | undefined,
): (Omit<Found, 'name'> & { path: string }) | undefined {
  const at = ask({ kind: 'version', repository, version });
  if (!at || !('sha' in at)) return undefined;
  const { sha } = at;
  const base: Base = {
    kind: 'project',
    checkout: { repository, sha, shown: `${repository.path}@${version}` },
    component: {
      name,
      sha,
      reference: version,
      ...(at.version !== undefined && { version: at.version }),
    },
  };
  const paths = [`templates/${name}.yml`, `templates/${name}/template.yml`];
  for (const path of paths) {
    const response = ask({ kind: 'file', repository, sha, path });
    if (!response || !('text' in response)) return undefined;
    if (response.text !== null || path === paths.at(-1))
      return { id: `${repository.path}@${sha}:${path}`, path, text: response.text, base };
  }
  return undefined;
}

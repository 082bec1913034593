/**
 * `include: template` of GitLab's own templates: files of its repository at one version, which the installation file
 * names. A version that cannot move is fetched once and kept; a branch is fetched every time, as a remote file is. A
 * hash in the installation file is checked as `integrity` of a remote file.
 */
import { DavitError } from '../../errors.ts';
import type { GitlabTemplates } from '../../installation-includes.ts';
import type { IncludeAnswer } from '../../plan/model/includes.ts';
import { remoteAnswer, type RemoteParts } from './remote.ts';

/** Folder of the templates in GitLab's repository. */
const FOLDER = 'lib/gitlab/ci/templates';
const NAME = /^(?:[A-Za-z0-9+_-][A-Za-z0-9.+_-]*\/)*[A-Za-z0-9+_-][A-Za-z0-9.+_-]*\.gitlab-ci\.yml$/;
/** A version's tag, or a commit. */
const FIXED = /^(v\d+\.\d+\.\d+[\w.-]*|[0-9a-f]{40})$/;

export interface TemplateParts extends Omit<RemoteParts, 'remote'> {
  /** Fetches from the host of `templates.url`; absent if the installation has no templates of GitLab. */
  templates?: RemoteParts['remote'];
  settings: { includes: { templates?: GitlabTemplates } };
}

/** Rejects with `include/refused`, `include/integrity` and `include/unreachable`. */
export async function templateAnswer(
  name: string,
  { templates: remote, settings, ...parts }: TemplateParts,
  signal: AbortSignal,
): Promise<IncludeAnswer> {
  const from = settings.includes.templates;
  if (!from || !remote)
    throw new DavitError('include/refused', `davit has no template "${name}".`, {
      hint: "An operator allows GitLab's own templates with `includes: { templates: gitlab }` in the installation file.",
    });
  if (!NAME.test(name))
    throw new DavitError('include/refused', `"${name}" is not the name of a template of GitLab.`, {
      hint: 'A name is a path below lib/gitlab/ci/templates that ends in .gitlab-ci.yml, such as Jobs/SAST.gitlab-ci.yml.',
    });
  const url = `${from.url.replace(/\/+$/, '')}/${from.ref}/${FOLDER}/${name.replaceAll('+', '%2B')}`;
  const integrity = from.integrity[name]?.replace(/^sha256-/, '');
  const cacheMs = FIXED.test(from.ref) ? Number.POSITIVE_INFINITY : undefined;
  try {
    return await remoteAnswer({ kind: 'remote', url, integrity, cacheMs }, { ...parts, remote }, signal);
  } catch (cause) {
    if (!(cause instanceof DavitError)) throw cause;
    const away = cause.code === 'include/unreachable' || /host name .* does not exist/.test(cause.message);
    const hint = cause.message.includes('HTTP 404') ? hintFor(from) : away ? OFFLINE : cause.hint;
    throw new DavitError(cause.code, `template ${name} of GitLab ${from.ref}: ${cause.message}`, {
      cause,
      hint,
    });
  }
}

const OFFLINE =
  'Templates of a version that were read before need no network. Others need that address; a copy of them can be named with `includes.templates.url` of the installation file.';
const hintFor = ({ ref }: GitlabTemplates): string =>
  `Check the name, and whether GitLab ${ref} has it: \`includes.templates.ref\` of the installation file names the version.`;

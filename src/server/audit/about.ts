/** The facts of an audit entry, from the named fields of a request and its response. Pure. */
import { isSlug } from '../../plan/model/ids.ts';
import type { AuditEntry } from '../../plan/model/audit.ts';
import type { AuditRule } from './rules.ts';

type About = AuditEntry['about'];

const MAX_CHARS = 256;
/** A longer response is not read. */
const MAX_JSON = 65_536;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const NUMBER = /^\d{1,15}$/;
const NAME = /^[\w.-]{1,64}$/;

/** `clean` removes secrets from a text. */
export function aboutOf(
  rule: AuditRule | undefined,
  request: { params: unknown; body: unknown; payload: unknown },
  clean: (text: string) => string,
): About {
  const found: About = {};
  const note = (name: string, value: unknown): void => {
    if (typeof value === 'string') found[name] = clean(value).slice(0, MAX_CHARS);
    else if (typeof value === 'number' || typeof value === 'boolean') found[name] = value;
  };
  for (const [name, value] of Object.entries(pathFacts(request.params))) note(name, value);
  for (const path of rule?.body ?? []) note(path.split('.').at(-1) ?? path, fieldOf(request.body, path));
  const answer = rule?.answer && parsed(request.payload);
  for (const name of rule?.answer ?? []) note(name, fieldOf(answer, name));
  return found;
}

/** Only what has the form of a name: anything may stand in a path that is refused. */
function pathFacts(params: unknown): About {
  const { slug, iid, digest, forge, name, id } = fields(params);
  const isProject = typeof slug === 'string' && isSlug(slug);
  return {
    ...(isProject && { project: slug }),
    ...(isProject && isText(iid, NUMBER) && { pipeline: `${slug}/${iid}` }),
    ...(isText(digest, DIGEST) && { digest }),
    ...(isText(forge, /^[a-z]{1,16}$/) && { forge }),
    ...(isText(name, NAME) && { name }),
    ...(isText(id, NAME) && { id }),
  };
}

const isText = (value: unknown, form: RegExp): value is string =>
  typeof value === 'string' && form.test(value);

function fieldOf(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((found, name) => fields(found)[name], value);
}

/** Fields of a plain object alone: a body may be a stream or bytes. */
function fields(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value) || 'pipe' in value) return {};
  return Object.fromEntries(Object.entries(value));
}

function parsed(payload: unknown): unknown {
  if (typeof payload !== 'string' || payload.length > MAX_JSON) return undefined;
  try {
    return JSON.parse(payload);
  } catch {
    return undefined; // not JSON: it has no fields
  }
}

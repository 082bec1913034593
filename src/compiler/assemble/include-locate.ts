/**
 * From one item of `include` to the files that it names. What is not known yet is noted in `needed`, and the
 * result is empty until then.
 */
import { RE2JS } from 're2js';
import {
  includeKey,
  type IncludeAnswer,
  type IncludeRefusal,
  type IncludeRepository,
  type IncludeWant,
} from '../../plan/model/includes.ts';
import type { Problems } from '../problems.ts';
import type { CompileRequest } from '../request.ts';
import type { ConditionScope } from '../rules/scope.ts';
import { pathProblem } from '../schema/keywords/common.ts';
import type { WrittenInclude } from '../schema/keywords/include.ts';
import { TEMPLATES, templateHint } from '../templates/index.ts';
import { componentFile, parseComponent } from './include-component.ts';
import { OWN, type Base, type Checkout, type Found } from './include-scope.ts';
import type { Origin } from '../source-text.ts';

export interface IncludesNeeded {
  /** Paths in the pipeline's own source: missing keys of `CompileRequest.included`. */
  files: Set<string>;
  /** `CompileRequest.files` is needed: for a wildcard, or a rule with `exists`. */
  list: boolean;
  /** Missing keys of `CompileRequest.changed`, for rules with `changes`. */
  changed: Set<string>;
  /** What must be requested from other projects and servers, by `includeKey`. */
  wants: Map<string, IncludeWant>;
}
/** An item of `include`: its node, the base of its file, and the variables that it sees. */
export interface Item {
  at: Origin;
  base: Base;
  scope: ConditionScope;
}
const IN_REMOTE =
  'A file from another server is read without context: write its includes as remote or template.';

export class IncludeLocator {
  readonly needed: IncludesNeeded = { files: new Set(), list: false, changed: new Set(), wants: new Map() };
  /** Templates of GitLab that could not be read: what they hold is not known. */
  readonly unread: { name: string; at: Origin; refused: IncludeRefusal }[] = [];
  readonly #request: CompileRequest;
  readonly #problems: Problems;

  constructor(request: CompileRequest, problems: Problems) {
    this.#request = request;
    this.#problems = problems;
  }

  find({ where }: WrittenInclude, item: Item): Found[] {
    if (item.base.kind === 'remote' && where.kind !== 'remote' && where.kind !== 'template') {
      this.#report(item, `a remote file cannot include by "${where.kind}"`, IN_REMOTE);
      return [];
    }
    if (where.kind === 'local') return this.#local(where.local, item);
    if (where.kind === 'project') return this.#project(where, item);
    if (where.kind === 'remote') return this.#remote(where, item);
    if (where.kind === 'template') return this.#template(where.template, item);
    return this.#component(where.component, item);
  }

  /** Every file of a place; undefined while it is not known. */
  list(base: Base, at: Origin): readonly string[] | undefined {
    if (base.kind !== 'project') {
      if (!this.#request.files) this.needed.list = true;
      return this.#request.files;
    }
    const { repository, sha } = base.checkout;
    const response = this.ask({ kind: 'list', repository, sha }, at);
    return response && 'files' in response ? response.files : undefined;
  }

  /** Every file of another project, at a ref or its default branch. */
  listOf(repository: IncludeRepository, ref: string | undefined, at: Origin): readonly string[] | undefined {
    const commit = this.ask({ kind: 'ref', repository, ref }, at);
    if (!commit || !('sha' in commit)) return undefined;
    const response = this.ask({ kind: 'list', repository, sha: commit.sha }, at);
    return response && 'files' in response ? response.files : undefined;
  }

  /** The response; undefined if it was not requested yet, or was refused and reported. */
  ask(want: IncludeWant, at: Origin): IncludeAnswer | undefined {
    const key = includeKey(want);
    const response = this.#request.responses?.[key];
    if (!response) this.needed.wants.set(key, want);
    else if ('refused' in response) {
      const { code, message, hint } = response.refused;
      this.#problems.add(code, message, { at, hint });
      return undefined;
    } else if ('text' in response && response.warning !== undefined)
      this.#problems.add('include/stale', response.warning, { at, severity: 'warning' });
    return response;
  }

  #local(written: string, item: Item): Found[] {
    const path = this.#path(written, item);
    if (path === undefined) return [];
    const paths = path.includes('*') ? matching(path, this.list(item.base, item.at) ?? []) : [path];
    return paths.map((one) => this.#fileOf(item.base, one, item.at));
  }

  #fileOf(base: Base, path: string, at: Origin): Found {
    if (base.kind === 'project') return this.#fileAt(base, path, at);
    const text = this.#request.included?.[path];
    if (text === undefined) this.needed.files.add(path);
    return { id: path, name: path, text, base };
  }

  #fileAt(base: Extract<Base, { kind: 'project' }>, path: string, at: Origin): Found {
    const { repository, sha, shown } = base.checkout;
    const response = this.ask({ kind: 'file', repository, sha, path }, at);
    const text = response && 'text' in response ? response.text : undefined;
    return { id: `${repository.path}@${sha}:${path}`, name: `${shown}:${path}`, text, base };
  }

  #project(where: Extract<WrittenInclude['where'], { kind: 'project' }>, item: Item): Found[] {
    const path = this.#text(where.project, 'project', item)?.replace(/^\/+|\/+$/g, '');
    const ref = where.ref === undefined ? undefined : this.#text(where.ref, 'ref', item);
    if (path === undefined || (where.ref !== undefined && ref === undefined)) return [];
    const repository = { path };
    const response = this.ask({ kind: 'ref', repository, ref }, item.at);
    if (!response || !('sha' in response)) return [];
    const checkout: Checkout = { repository, sha: response.sha, shown: `${path}@${ref ?? 'HEAD'}` };
    return where.files.flatMap((written) => {
      const file = this.#path(written, item);
      return file === undefined ? [] : [this.#fileAt({ kind: 'project', checkout }, file, item.at)];
    });
  }

  #remote(where: Extract<WrittenInclude['where'], { kind: 'remote' }>, item: Item): Found[] {
    const url = this.#text(where.url, 'remote', item);
    if (url === undefined) return [];
    const trouble = remoteTrouble(url);
    if (trouble) {
      this.#report(item, `include ${trouble}`);
      return [];
    }
    const { integrity, cacheMs } = where;
    const want: IncludeWant = {
      kind: 'remote',
      url,
      ...(integrity !== undefined && { integrity }),
      ...(cacheMs !== undefined && { cacheMs }),
    };
    const response = this.ask(want, item.at);
    const text = response && 'text' in response ? response.text : undefined;
    return [{ id: url, name: shownUrl(url), text, base: { kind: 'remote' } }];
  }

  #template(written: string, item: Item): Found[] {
    const name = this.#text(written, 'template', item);
    if (name === undefined) return [];
    const found = { id: `template ${name}`, name: `template ${name}`, base: OWN };
    const text = TEMPLATES.get(name);
    if (text !== undefined) return [{ ...found, text }];
    if (!this.#request.gitlabTemplates) {
      this.#report(item, `davit has no template "${name}"`, templateHint(name));
      return [];
    }
    const want: IncludeWant = { kind: 'template', name };
    const response = this.#request.responses?.[includeKey(want)];
    if (response && 'refused' in response) {
      this.unread.push({ name, at: item.at, refused: response.refused });
      return [];
    }
    const given = this.ask(want, item.at);
    return [{ ...found, text: given && 'text' in given ? given.text : undefined }];
  }

  #component(written: string, item: Item): Found[] {
    const address = this.#text(written, 'component', item);
    if (address === undefined) return [];
    const parsed = parseComponent(address);
    if (typeof parsed === 'string') {
      this.#report(item, `include ${parsed}`, 'Write HOST/GROUP/PROJECT/NAME@VERSION.');
      return [];
    }
    const found = componentFile(parsed, (want) => this.ask(want, item.at));
    if (!found) return [];
    return [{ ...found, name: `${address}:${found.path}` }];
  }

  /** With variables expanded; undefined when it cannot be used, which is reported. */
  #text(written: string, label: string, { scope, at }: Item): string | undefined {
    const { text, late, tainted } = scope.settle(written);
    if (tainted)
      this.#problems.add('language/secret', `${label} of include uses a masked or secret variable`, { at });
    else if (late)
      this.#problems.add('language/include', `${label} of include uses a variable that is known only later`, {
        at,
      });
    else if (text.trim() === '')
      this.#problems.add('language/include', `${label} of include is empty ("${written}")`, { at });
    else return text;
    return undefined;
  }

  /** A path from the root of a project. */
  #path(written: string, item: Item): string | undefined {
    const file = this.#text(written, 'file', item)?.replace(/^\/+/, '');
    if (file === undefined) return undefined;
    const trouble = pathProblem(file) ?? extensionTrouble(file);
    if (trouble) this.#report(item, `include ${trouble}`);
    return trouble ? undefined : file;
  }

  #report({ at }: Item, message: string, hint?: string): void {
    this.#problems.add('language/include', message, { at, hint });
  }
}

const extensionTrouble = (file: string): string | undefined =>
  /[^/]\.ya?ml$/i.test(file) ? undefined : `"${file}" must end in .yml or .yaml`;

/** Why davit does not fetch it; an address that may contain a password is not repeated. */
function remoteTrouble(url: string): string | undefined {
  if (!URL.canParse(url)) return `"${url.slice(0, 200)}" is not an address`;
  const { protocol, username, password, hash } = new URL(url);
  if (protocol !== 'https:') return `accepts only https addresses, not ${shownUrl(url)}`;
  if (username !== '' || password !== '') return 'does not accept an address with a user name or password';
  if (hash !== '') return `does not accept an address with a fragment: ${shownUrl(url)}`;
  return extensionTrouble(url) && `"${shownUrl(url)}" must end in .yml or .yaml`;
}

/** Without user, password and query, which may contain a token. */
function shownUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** As GitLab: `*` stops at slashes, `**` does not. No match is not a mistake. */
function matching(pattern: string, files: readonly string[]): string[] {
  const text = pattern
    .split('**')
    .map((part) => part.split('*').map(escape).join('[^/]*'))
    .join('.*');
  const regex = RE2JS.compile(`^${text}$`, RE2JS.DOTALL);
  return files.filter((file) => regex.matcher(file).find()).toSorted();
}
const escape = (text: string): string => text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');

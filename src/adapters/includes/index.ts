/**
 * Includes port: files from outside the pipeline's own source that `include` names, from git and https
 * servers, for the control worker and the command line. All files of one pipeline must arrive within 30 s
 * (GitLab's limit).
 */
import { DavitError } from '../../errors.ts';
import {
  includeKey,
  type IncludeAnswer,
  type IncludeAnswers,
  type IncludeRefusal,
  type IncludeRepository,
  type IncludeWant,
} from '../../plan/model/includes.ts';
import type {
  IncludeReader,
  IncludeSession,
  Includes,
  Repositories,
  RepositoryRequest,
  Secrets,
} from '../ports.ts';
import { readable, type IncludeSettings } from './projects.ts';
import { remoteAnswer, type RemoteParts } from './remote.ts';
import { templateAnswer } from './templates.ts';
import { patternsOf, shaOf, versionOf } from './versions.ts';

const TIMEOUT_MS = 30_000;
/** Parallel requests. */
const WIDTH = 4;

export interface IncludesParts extends RemoteParts {
  /** For GitLab's own templates. */
  templates?: RemoteParts['remote'];
  repositories: Repositories;
  secrets: Pick<Secrets, 'resolve'>;
  settings: IncludeSettings;
  timeoutMs?: number;
}
type FileWant = Extract<IncludeWant, { kind: 'file' | 'list' }>;

export function configuredIncludes(parts: IncludesParts): Includes {
  return {
    open(reader) {
      let late: AbortSignal | undefined;
      return {
        answer(wants) {
          late ??= AbortSignal.timeout(parts.timeoutMs ?? TIMEOUT_MS);
          return new Session(parts, reader, late).answer(wants);
        },
      };
    },
  };
}

class Session implements IncludeSession {
  readonly #parts: IncludesParts;
  readonly #reader: IncludeReader;
  readonly #late: AbortSignal;
  readonly #signal: AbortSignal;

  constructor(parts: IncludesParts, reader: IncludeReader, late: AbortSignal) {
    this.#parts = parts;
    this.#reader = reader;
    this.#late = late;
    this.#signal = reader.signal ? AbortSignal.any([reader.signal, late]) : late;
  }

  async answer(wants: readonly IncludeWant[]): Promise<IncludeAnswers> {
    const works = [...groups(wants)].map((group) => () => this.#group(group));
    const answers: Record<string, IncludeAnswer> = {};
    const next = async (): Promise<void> => {
      for (let work = works.shift(); work; work = works.shift()) Object.assign(answers, await work());
    };
    await Promise.all(Array.from({ length: WIDTH }, next));
    return answers;
  }

  /** One request; all wants in it get the same refusal. */
  async #group(wants: readonly IncludeWant[]): Promise<Record<string, IncludeAnswer>> {
    try {
      const found = await this.#ask(wants);
      return Object.fromEntries(wants.map((want, index) => [includeKey(want), found[index] ?? lost]));
    } catch (error) {
      this.#reader.signal?.throwIfAborted();
      const refused = this.#late.aborted ? TOO_LATE : refusalOf(error);
      return Object.fromEntries(wants.map((want) => [includeKey(want), { refused }]));
    }
  }

  async #ask(wants: readonly IncludeWant[]): Promise<IncludeAnswer[]> {
    this.#signal.throwIfAborted();
    const [want] = wants;
    if (!want) return [];
    if (want.kind === 'remote') return [await remoteAnswer(want, this.#parts, this.#signal)];
    if (want.kind === 'template') return [await templateAnswer(want.name, this.#parts, this.#signal)];
    if (want.kind === 'ref') return [await this.#ref(want.repository, want.ref)];
    if (want.kind === 'version') return [await this.#version(want.repository, want.version)];
    return this.#files(want, wants);
  }

  async #ref(repository: IncludeRepository, ref: string | undefined): Promise<IncludeAnswer> {
    const patterns = patternsOf(ref);
    // A reader without access must not learn that it exists.
    const request = await this.#request(repository);
    const refs = patterns ? await this.#parts.repositories.refs({ ...request, patterns }) : {};
    const sha = shaOf(refs, ref);
    if (sha !== undefined) return { sha };
    throw refused(
      `${repository.path} has no branch, tag or commit "${ref ?? 'HEAD'}".`,
      'Name a commit by its full SHA.',
    );
  }

  async #version(repository: IncludeRepository, version: string): Promise<IncludeAnswer> {
    const request = await this.#request(repository);
    const patterns = ['refs/tags/*', ...(/^~/.test(version) ? [] : [`refs/heads/${version}`])];
    const found = versionOf(await this.#parts.repositories.refs({ ...request, patterns }), version);
    if (found) return found;
    throw refused(
      `${repository.path} has no version "${version}".`,
      'A version is a tag such as 1.2.3, a part of it (1, 1.2), ~latest, a branch or a full SHA.',
    );
  }

  /** All files of one commit at once. */
  async #files(first: FileWant, wants: readonly IncludeWant[]): Promise<IncludeAnswer[]> {
    const request = await this.#request(first.repository);
    const paths = wants.flatMap((want) => (want.kind === 'file' ? [want.path] : []));
    const list = wants.some((want) => want.kind === 'list');
    const { texts, files } = await this.#parts.repositories.files({
      ...request,
      sha: first.sha,
      paths,
      list,
    });
    return wants.map((want) =>
      want.kind === 'file' ? { text: texts[want.path] ?? null } : { files: files ?? [] },
    );
  }

  async #request(repository: IncludeRepository): Promise<RepositoryRequest> {
    const found = readable(repository, this.#reader, this.#parts.settings);
    if ('code' in found) throw refused(found.message, found.hint);
    const { clone_token: token, clone_user: username } = found.owner;
    const auth = token && { username, password: await this.#parts.secrets.resolve(token) };
    return { url: found.url, signal: this.#signal, ...(auth && { auth }) };
  }
}

/** Files of one commit are one request. */
function groups(wants: readonly IncludeWant[]): Iterable<IncludeWant[]> {
  const found = new Map<string, IncludeWant[]>();
  for (const want of wants) {
    const together = want.kind === 'file' || want.kind === 'list';
    const key = together ? includeKey({ ...want, kind: 'list' }) : includeKey(want);
    found.set(key, [...(found.get(key) ?? []), want]);
  }
  return found.values();
}

const refused = (message: string, hint?: string): DavitError =>
  new DavitError('include/refused', message, { hint });
const TOO_LATE: IncludeRefusal = {
  code: 'include/timeout',
  message: 'all includes together took longer than 30 s',
  outage: true,
};
const lost: IncludeAnswer = {
  refused: { code: 'include/unreachable', message: 'there was no response', outage: true },
};

/** Rethrows davit's own errors: an unreachable store, or a defect. */
function refusalOf(error: unknown): IncludeRefusal {
  if (!(error instanceof DavitError)) throw error;
  const { code, message, hint } = error;
  if (code === 'include/refused' || code === 'include/integrity') return { code, message, hint };
  if (code === 'include/unreachable') return { code, message, hint, outage: true };
  if (code === 'git/unreachable') return { code: 'include/unreachable', message, outage: true };
  if (code.startsWith('git/') || code === 'source/refused' || code === 'secret/missing')
    return { code: 'include/refused', message, hint };
  throw error;
}

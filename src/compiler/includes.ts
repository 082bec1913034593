/** Loads the files that a pipeline includes, round by round, until none is missing. */
import type { IncludeAnswers, IncludeWant } from '../plan/model/includes.ts';
import { Includer, type IncludesNeeded } from './assemble/include.ts';
import { ContentReader } from './inputs/content.ts';
import { runInputs } from './inputs/run-inputs.ts';
import { Problems } from './problems.ts';
import type { CompileRequest } from './request.ts';

/** Reads the source of a pipeline, and files of other projects and servers that it includes. */
export interface IncludeSource {
  /** Text of each file; null for one that does not exist. */
  read(files: readonly string[]): Promise<Record<string, string | null>>;
  /** Every file of the source. */
  list(): Promise<readonly string[]>;
  /** Changed paths for rules with `changes`: see `CompileRequest.changed`. */
  changed(names: readonly string[]): Promise<Record<string, readonly string[]> | undefined>;
  /** Other projects and servers; by `includeKey`. */
  elsewhere(wants: readonly IncludeWant[]): Promise<IncludeAnswers>;
}
type Loaded = Pick<CompileRequest, 'included' | 'files' | 'changed' | 'changedFor' | 'responses'>;

/** Every text that the file consists of. */
export const textsOf = ({ file, included, responses }: CompileRequest): string[] => [
  file.text,
  ...Object.values(included ?? {}).filter((text) => text !== null),
  ...Object.values(responses ?? {}).flatMap((one) => ('text' in one && one.text !== null ? [one.text] : [])),
];

/** What must be read before the file can be assembled. Never throws. */
export function includesNeeded(request: CompileRequest): IncludesNeeded {
  const { name, text } = request.file;
  const problems = new Problems();
  const contents = new ContentReader(request, problems);
  const includer = new Includer(request, problems, contents);
  // A key may contain an input too.
  if (!text.includes('include') && !text.includes('$[[')) return includer.needed;
  const root = contents.read(request.file, { given: runInputs(request.trigger.inputs, problems) });
  if (root?.kind === 'map') includer.whole(root, name);
  return includer.needed;
}

/** Terminates: each round requests something new, and there are at most 150 includes. */
export async function loadIncludes(request: CompileRequest, source: IncludeSource): Promise<Loaded> {
  const { included = {}, files, changed, changedFor = [], responses = {} } = request;
  let loaded: Loaded = { included, files, changed, changedFor, responses };
  const asked = new Set<string>();
  for (;;) {
    const needed = includesNeeded({ ...request, ...loaded });
    const names = namesOf(needed);
    if (names.every((name) => asked.has(name))) return withFiles(loaded, source);
    for (const name of names) asked.add(name);
    const news = await round(needed, source);
    loaded = {
      included: { ...loaded.included, ...news.included },
      files: news.files ?? loaded.files,
      changed: news.changed ? { ...loaded.changed, ...news.changed } : loaded.changed,
      changedFor: [...(loaded.changedFor ?? []), ...(news.changedFor ?? [])],
      responses: { ...loaded.responses, ...news.responses },
    };
  }
}

/** For a file that does not exist, the others are known too: a hint names the one that was meant. */
async function withFiles(loaded: Loaded, source: IncludeSource): Promise<Loaded> {
  const isMissing = Object.values(loaded.included ?? {}).includes(null);
  return isMissing && !loaded.files ? { ...loaded, files: await source.list() } : loaded;
}

const namesOf = ({ files, list, changed, wants }: IncludesNeeded): string[] => [
  ...[...files].map((file) => `read ${file}`),
  ...(list ? ['list'] : []),
  ...[...changed].map((name) => `changed ${name}`),
  ...wants.keys(),
];

async function round(
  { files, list, changed, wants }: IncludesNeeded,
  source: IncludeSource,
): Promise<Loaded> {
  const news: Loaded = {};
  if (files.size > 0) news.included = await source.read([...files]);
  if (list) news.files = await source.list();
  if (changed.size > 0) {
    news.changedFor = [...changed];
    news.changed = await source.changed(news.changedFor);
  }
  if (wants.size > 0) news.responses = await source.elsewhere([...wants.values()]);
  return news;
}

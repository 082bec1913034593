import type { Problems } from '../problems.ts';
import { DEFAULT, JOB_KEYWORDS, stagesReader, TOP, type KeywordInfo } from '../schema/keyword-table.ts';
import { didYouMean } from '../suggest.ts';
import { plainScalar } from '../yaml/scalars.ts';
import { isNull, kindText, type Entry, type Node } from '../yaml/nodes.ts';
import type { FileConfig } from '../job-config.ts';

const DEFAULT_STAGES = ['build', 'test', 'deploy'];
/** Written at the top level they mean the same as under `default` (GitLab: deprecated, still valid). */
const OLD_DEFAULTS = new Set(['image', 'services', 'before_script', 'after_script', 'cache']);

/** Splits a document; undefined when there is nothing to split. */
export function readFileConfig(root: Node, problems: Problems): FileConfig | undefined {
  if (root.kind !== 'map') {
    problems.add('language/type', `a pipeline file is a map of jobs, not ${kindText(root)}`, { at: root });
    return undefined;
  }
  const file: FileConfig = { root, stages: DEFAULT_STAGES, entries: new Map(), defaults: new Map() };
  for (const [key, entry] of root.entries) {
    const keyword = TOP.get(key);
    // `pages` is the name of a job too.
    if (!keyword || key === 'pages') readJobEntry(entry, file, problems);
    else if (keyword.status === 'refused') refuse(keyword, entry, problems);
    else if (!isNull(entry.value)) readGlobal(entry, file, problems);
  }
  return file;
}

function readGlobal(entry: Entry, file: FileConfig, problems: Problems): void {
  if (entry.key === 'stages') file.stages = stagesReader.read(entry.value, problems) ?? DEFAULT_STAGES;
  else if (entry.key === 'variables') file.variables = entry.value;
  else if (entry.key === 'workflow') file.workflow = entry.value;
  else if (entry.key === 'default') readDefault(entry, file, problems);
  else if (entry.key === 'spec')
    problems.add(
      'language/missing',
      'spec is a header: it stands alone, and a line with --- and the content follow it',
      {
        at: entry.at,
      },
    );
  else if (OLD_DEFAULTS.has(entry.key)) {
    if (file.defaults.has(entry.key))
      problems.add('language/conflict', `"${entry.key}" stands at the top level and under default`, {
        at: entry.at,
      });
    else file.defaults.set(entry.key, entry);
  }
}

function readDefault(entry: Entry, file: FileConfig, problems: Problems): void {
  if (entry.value.kind !== 'map') {
    problems.add('language/type', `default must be a map, not ${kindText(entry.value)}`, { at: entry.value });
    return;
  }
  for (const [key, inner] of entry.value.entries) {
    const keyword = DEFAULT.get(key);
    if (!keyword) unknownKeyword(inner, { where: 'default', known: DEFAULT.keys() }, problems);
    else if (isNull(inner.value)) continue;
    else if (keyword.status === 'refused') refuse(keyword, inner, problems);
    else if (file.defaults.has(key))
      problems.add('language/conflict', `"${key}" stands at the top level and under default`, {
        at: inner.at,
      });
    else file.defaults.set(key, inner);
  }
}

function readJobEntry(entry: Entry, file: FileConfig, problems: Problems): void {
  const hidden = entry.key.startsWith('.');
  if (hidden) {
    file.entries.set(entry.key, entry);
    return;
  }
  if (entry.value.kind !== 'map') {
    const what = `"${entry.key}" is no keyword, and as a job it must be a map, not ${kindText(entry.value)}`;
    problems.add('language/unknown-keyword', what, { at: entry.at, hint: didYouMean(entry.key, TOP.keys()) });
    return;
  }
  const jobLike = [...entry.value.entries.keys()].some((key) => JOB_KEYWORDS.has(key));
  const spelling = jobLike ? undefined : didYouMean(entry.key, TOP.keys());
  if (spelling) {
    problems.add('language/unknown-keyword', `"${entry.key}" is no keyword, and no job: it has no script`, {
      at: entry.at,
      hint: spelling,
    });
    return;
  }
  const readAs = nameReadAs(entry);
  if (readAs !== undefined)
    problems.add('language/type', `the name of a job must be text, and ${entry.key} is read as ${readAs}`, {
      at: entry.at,
      hint: 'Put it in quotes.',
    });
  else if (entry.key === '' || entry.key.length > 255)
    problems.add('language/type', 'a job has a name of 1 to 255 characters', { at: entry.at });
  else if (NO_NAMES.has(entry.key))
    problems.add('language/type', `no job can have the name "${entry.key}"`, { at: entry.at });
  file.entries.set(entry.key, entry);
}

/** What YAML makes of a name without quotes that is no text to it; undefined where it is text. */
function nameReadAs({ key, at }: Entry): string | undefined {
  const value = at.source.text.startsWith(key, at.offset) ? plainScalar(key) : key;
  return typeof value === 'string' || key === '' ? undefined : String(value);
}

/** GitLab: "unavailable names for jobs"; those of keywords never come here. */
const NO_NAMES: ReadonlySet<string> = new Set(['true', 'false', 'nil']);

/** A keyword that GitLab has and davit has not. */
export function refuse(keyword: KeywordInfo, entry: Entry, problems: Problems): void {
  problems.add('language/refused', `${keyword.name} is refused: ${keyword.note ?? 'not possible here'}`, {
    at: entry.at,
    hint: keyword.hint,
  });
}

/** `where` is what a person calls the map: `default`, `the job "x"`. */
export function unknownKeyword(
  entry: Entry,
  from: { where: string; known: Iterable<string> },
  problems: Problems,
): void {
  problems.add('language/unknown-keyword', `${from.where} has no keyword "${entry.key}"`, {
    at: entry.at,
    hint: didYouMean(entry.key, from.known),
  });
}

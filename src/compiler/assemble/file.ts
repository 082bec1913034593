import type { Problems } from '../problems.ts';
import { DEFAULT, JOB_KEYWORDS, stagesReader, TOP, type KeywordInfo } from '../schema/keyword-table.ts';
import { didYouMean } from '../suggest.ts';
import { plainScalar } from '../yaml/scalars.ts';
import { isNull, kindText, type Entry, type Node } from '../yaml/nodes.ts';
import type { FileConfig } from '../job-config.ts';

const DEFAULT_STAGES = ['build', 'test', 'deploy'];
/** At the top level they mean the same as under `default` (GitLab: deprecated, still valid). */
const OLD_DEFAULTS = new Set(['image', 'services', 'before_script', 'after_script', 'cache']);

/** Splits a document; undefined when it is not a map. */
export function readFileConfig(root: Node, problems: Problems): FileConfig | undefined {
  if (root.kind !== 'map') {
    problems.add('language/type', `a pipeline file must be a map of jobs, not ${kindText(root)}`, {
      at: root,
    });
    return undefined;
  }
  const file: FileConfig = { root, stages: DEFAULT_STAGES, entries: new Map(), defaults: new Map() };
  for (const [key, entry] of root.entries) {
    const keyword = TOP.get(key);
    // `pages` is also a job name.
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
      'spec must be in a header of its own, followed by a line with --- and the content',
      {
        at: entry.at,
      },
    );
  else if (OLD_DEFAULTS.has(entry.key)) {
    if (file.defaults.has(entry.key))
      problems.add('language/conflict', `"${entry.key}" is set both at the top level and under default`, {
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
      problems.add('language/conflict', `"${key}" is set both at the top level and under default`, {
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
    const what = `"${entry.key}" is not a keyword, and a job must be a map, not ${kindText(entry.value)}`;
    problems.add('language/unknown-keyword', what, { at: entry.at, hint: didYouMean(entry.key, TOP.keys()) });
    return;
  }
  const jobLike = [...entry.value.entries.keys()].some((key) => JOB_KEYWORDS.has(key));
  const spelling = jobLike ? undefined : didYouMean(entry.key, TOP.keys());
  if (spelling) {
    problems.add('language/unknown-keyword', `"${entry.key}" is neither a keyword nor a job with a script`, {
      at: entry.at,
      hint: spelling,
    });
    return;
  }
  const readAs = nameReadAs(entry);
  if (readAs !== undefined)
    problems.add('language/type', `a job name must be a string, but YAML reads ${entry.key} as ${readAs}`, {
      at: entry.at,
      hint: 'Put it in quotes.',
    });
  else if (entry.key === '' || entry.key.length > 255)
    problems.add('language/type', 'a job name must have 1 to 255 characters', { at: entry.at });
  else if (NO_NAMES.has(entry.key))
    problems.add('language/type', `"${entry.key}" cannot be the name of a job`, { at: entry.at });
  file.entries.set(entry.key, entry);
}

/** How YAML reads an unquoted name that is not a string; undefined for a string. */
function nameReadAs({ key, at }: Entry): string | undefined {
  const value = at.source.text.startsWith(key, at.offset) ? plainScalar(key) : key;
  if (typeof value === 'string' || key === '') return undefined;
  return value === null ? 'null' : `the ${typeof value} ${value}`;
}

/** GitLab: "unavailable names for jobs"; keywords never get here. */
const NO_NAMES: ReadonlySet<string> = new Set(['true', 'false', 'nil']);

/** A keyword of GitLab that davit does not support. */
export function refuse(keyword: KeywordInfo, entry: Entry, problems: Problems): void {
  problems.add('language/refused', `${keyword.name} is refused: ${keyword.note ?? 'not possible here'}`, {
    at: entry.at,
    hint: keyword.hint,
  });
}

/** `where` describes the map: `default`, `the job "x"`. */
export function unknownKeyword(
  entry: Entry,
  from: { where: string; known: Iterable<string> },
  problems: Problems,
): void {
  problems.add('language/unknown-keyword', `${from.where} has an unknown keyword "${entry.key}"`, {
    at: entry.at,
    hint: didYouMean(entry.key, from.known),
  });
}

import type { JobKind } from '../../plan/model/plan.ts';
import type { Problems } from '../problems.ts';
import { JOB_KEYWORDS, readers, type JobValues } from '../schema/keyword-table.ts';
import { inherits } from '../schema/keywords/inherit.ts';
import { isLost, isNull, type Entry, type MapNode, type Node } from '../yaml/nodes.ts';
import type { Extender } from './extends.ts';
import { refuse, unknownKeyword } from './file.ts';
import type { Origin } from '../source-text.ts';
import { type JobConfig, CONTAINER_KEYWORDS, type FileConfig } from '../job-config.ts';

const MAX_JOBS = 10_000;
/** Values of all jobs together, after extends and default: a template counts for each job that extends it. */
const MAX_VALUES = 1_000_000;

/** All jobs that are not hidden, in file order. */
export function readJobs(file: FileConfig, extender: Extender, problems: Problems): Map<string, JobConfig> {
  const jobs = new Map<string, JobConfig>();
  const shared = [...file.defaults.values()].reduce(
    (sum, entry) => sum + entry.value.size,
    file.variables?.size ?? 0,
  );
  let values = 0;
  for (const [name, entry] of file.entries) {
    if (problems.mustStop) break;
    if (name.startsWith('.')) continue;
    const map = extender.resolve(name);
    if (!map) continue;
    values += map.size + shared;
    if (jobs.size >= MAX_JOBS || values > MAX_VALUES) {
      const what =
        values > MAX_VALUES ? 'jobs with more than a million values' : `more than ${MAX_JOBS} jobs`;
      problems.add('language/too-large', `the file has ${what}, counting templates and default`, {
        at: entry.at,
      });
      break;
    }
    jobs.set(name, readJob({ name, map, at: entry.at, file, problems }));
  }
  if (jobs.size === 0 && !problems.hasErrors)
    problems.add('language/missing', 'the file has no job', { at: file.root });
  return jobs;
}

interface JobReader {
  name: string;
  map: MapNode;
  at: Origin;
  file: FileConfig;
  problems: Problems;
}

function readJob({ name, map, at, file, problems }: JobReader): JobConfig {
  const entries = new Map<string, Entry>();
  for (const [key, entry] of map.entries) {
    const keyword = JOB_KEYWORDS.get(key);
    if (!keyword) unknownKeyword(entry, { where: `the job "${name}"`, known: JOB_KEYWORDS.keys() }, problems);
    // An empty value counts as absent, so that a job can remove a keyword that it extends.
    else if (isNull(entry.value)) continue;
    else if (keyword.status === 'refused') refuse(keyword, entry, problems);
    else entries.set(key, entry);
  }
  const own = new Set(entries.keys());
  const kind = kindOf(own, entries.get('needs')?.value);
  const inherit = map.entries.get('inherit')?.value;
  const wanted = inherit && !isNull(inherit) ? readers.inherit.read(inherit, problems)?.default : undefined;
  for (const [key, entry] of file.defaults)
    if (!entries.has(key) && takesDefault(kind, key) && inherits(wanted, key)) entries.set(key, entry);
  const lost = isLost(map) || [...map.entries.values()].some(({ value }) => isLost(value));
  return { name, kind, at, entries, own, values: readValues(entries, problems), ...(lost && { lost }) };
}

const TYPED = ['trigger', 'build', 'apitest', 'push', 'deploy'] as const;
function kindOf(own: ReadonlySet<string>, needs: Node | undefined): JobKind {
  const typed = TYPED.find((kind) => own.has(kind));
  return typed ?? (!own.has('script') && mirrors(needs) ? 'trigger' : 'script');
}
/** `needs:pipeline` without a `job`: such a job runs nothing, like one with `trigger`. */
function mirrors(needs: Node | undefined): boolean {
  if (needs?.kind === 'list') return needs.items.some(mirrors);
  return needs?.kind === 'map' && needs.entries.has('pipeline') && !needs.entries.has('job');
}

const takesDefault = (kind: JobKind, key: string): boolean =>
  kind === 'trigger'
    ? key === 'interruptible'
    : kind === 'script' || kind === 'apitest' || !CONTAINER_KEYWORDS.has(key);

function readValues(entries: ReadonlyMap<string, Entry>, problems: Problems): JobValues {
  const values: JobValues = {};
  for (const [key, entry] of entries) readInto(values, { key, node: entry.value, problems });
  return values;
}

const isReader = (key: string): key is keyof typeof readers => Object.hasOwn(readers, key);

function readInto(values: JobValues, from: Reader): void {
  if (isReader(from.key)) assign(values, from.key, from);
}
interface Reader {
  key: string;
  node: Node;
  problems: Problems;
}

function assign<K extends keyof JobValues>(values: JobValues, key: K, from: Reader): void {
  values[key] = readers[key].read(from.node, from.problems);
}

/** A file and its jobs as later steps see them. */
import type { JobKind } from '../plan/model/plan.ts';
import type { Origin } from './source-text.ts';
import { nodeAt, type Entry, type MapNode, type Node, type Path } from './yaml/nodes.ts';
import { itemNodes } from './yaml/rule-nodes.ts';
import type { JobValues } from './schema/keyword-table.ts';

/** A job after extends and default, its keywords validated one by one and typed. */
export interface JobConfig {
  name: string;
  kind: JobKind;
  at: Origin;
  entries: ReadonlyMap<string, Entry>;
  /** Keywords of the job itself or from extends, without default. */
  own: ReadonlySet<string>;
  values: JobValues;
  /** A part of it was not found, which is reported: nothing is known of what it lacks. */
  lost?: true;
}

/** Keywords for a container with a script: a job without one cannot have them. */
export const CONTAINER_KEYWORDS: ReadonlySet<string> = new Set([
  'image',
  'services',
  'before_script',
  'script',
  'after_script',
  'artifacts',
  'cache',
  'coverage',
  'hooks',
  'release',
  'pages',
  'publish',
]);

/**
 * The place of a part of a job; the job's name if it has no such part. A number at the beginning of the path counts items of a
 * list whose nested lists are flattened, as they are in `values`.
 */
export function placeIn(job: JobConfig, keyword: string, path: Path = []): Origin {
  const entry = job.entries.get(keyword);
  if (!entry) return job.at;
  const [first, ...rest] = path;
  if (first === undefined) return entry.at;
  const item = typeof first === 'number' ? itemNodes(entry.value)[first] : undefined;
  return item ? nodeAt(item, rest) : nodeAt(entry.value, path);
}

/** The top level of a file: its global keywords taken apart from its jobs. */
export interface FileConfig {
  root: MapNode;
  stages: string[];
  /** Every job and template, hidden ones too, before extends. In file order. */
  entries: Map<string, Entry>;
  /** `default`, and the keywords that older files write at the top level. */
  defaults: Map<string, Entry>;
  variables?: Node;
  workflow?: Node;
}

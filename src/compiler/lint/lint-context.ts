import type { FileConfig, JobConfig } from '../job-config.ts';
import type { MapNode } from '../yaml/nodes.ts';
import type { Drafts } from '../draft/draft.ts';
import type { CompileRequest } from '../request.ts';
import type { Problems } from '../problems.ts';

export interface LintContext {
  file: FileConfig;
  /** The file with its includes, before `!reference` is replaced. */
  whole: MapNode;
  jobs: ReadonlyMap<string, JobConfig>;
  drafts: Drafts;
  request: CompileRequest;
  problems: Problems;
}

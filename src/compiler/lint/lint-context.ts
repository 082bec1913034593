import type { FileConfig, JobConfig } from '../job-config.ts';
import type { MapNode, Node } from '../yaml/nodes.ts';
import type { Drafts } from '../draft/draft.ts';
import type { CompileRequest } from '../request.ts';
import type { Problems } from '../problems.ts';
import type { ConditionLayers, ConditionScopes } from '../rules/scope.ts';

export interface LintContext {
  file: FileConfig;
  /** The file with its includes, before `!reference` is replaced. */
  whole: MapNode;
  /** `include` of the pipeline's own file. */
  include?: Node;
  jobs: ReadonlyMap<string, JobConfig>;
  drafts: Drafts;
  /** What the conditions of this pipeline see, and the `variables` that they are made from. */
  scopes: ConditionScopes;
  layers: ConditionLayers;
  request: CompileRequest;
  problems: Problems;
}

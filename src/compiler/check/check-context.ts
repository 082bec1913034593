import type { JobConfig } from '../job-config.ts';
import type { Drafts } from '../draft/draft.ts';
import type { CompileRequest } from '../request.ts';
import type { Problems } from '../problems.ts';

export interface CheckContext {
  jobs: ReadonlyMap<string, JobConfig>;
  drafts: Drafts;
  request: CompileRequest;
  problems: Problems;
}

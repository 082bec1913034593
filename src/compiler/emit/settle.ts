/** Texts that go into the plan: they must be known when it is made, and everybody can read them. */
import { placeIn, type JobConfig } from '../job-config.ts';
import type { Problems } from '../problems.ts';
import type { Expanded, Scope } from '../variables/scope.ts';
import type { Path } from '../yaml/nodes.ts';

export interface SettleRequest {
  scope: Scope;
  text: string;
  keyword: string;
  path: Path;
}

/** Expands a text; reports one that is known only later, or that holds a secret. */
export function settle(config: JobConfig, request: SettleRequest, problems: Problems): string {
  const expanded = request.scope.settle(request.text);
  const trouble = troubleOf(expanded);
  if (trouble) {
    const label = [request.keyword, ...request.path].join('.');
    problems.add('language/secret', `${label} of "${config.name}" uses a variable that ${trouble}`, {
      at: placeIn(config, request.keyword, request.path),
    });
  }
  return expanded.text;
}

function troubleOf({ late, tainted }: Expanded): string | undefined {
  if (tainted) return 'is masked or secret, and would be readable here';
  return late ? 'is known only when the job runs' : undefined;
}

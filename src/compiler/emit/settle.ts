/** Texts that go into the plan: they must be known when it is made, and everybody can read them. */
import { placeIn, type JobConfig } from '../job-config.ts';
import type { Problems } from '../problems.ts';
import { referencesOf } from '../variables/expand.ts';
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
    problems.add('language/secret', `${label} of "${config.name}" uses ${trouble.what}`, {
      at: placeIn(config, request.keyword, request.path),
      hint: trouble.hint,
    });
  }
  return expanded.text;
}

function troubleOf({ text, late, tainted }: Expanded): { what: string; hint?: string } | undefined {
  if (tainted) return { what: 'a variable that is masked or secret, and would be readable here' };
  if (!late) return undefined;
  const names = [...new Set(referencesOf(text))].map((name) => `$${name}`);
  const what = names.length === 1 ? `${names[0]}, which is` : `${names.join(', ')}, which are`;
  return {
    what: `${what} known only when the job runs`,
    hint: 'It is needed before: use a variable of the file, the project or this run, not of a dotenv report or of the machine.',
  };
}

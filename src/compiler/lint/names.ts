/** Names that are similar to predefined variables, or to the words of `only` and `except`. */
import { nearest } from '../suggest.ts';
import type { Node, ScalarNode } from '../yaml/nodes.ts';
import { PREDEFINED } from '../variables/predefined-names.ts';
import { POLICY_REFS } from './known-names.ts';
import { scalars } from './shell.ts';
import { placeIn, type JobConfig } from '../job-config.ts';
import type { LintContext } from './lint-context.ts';

const REFERENCE = /\$\{?((?:CI|GITLAB|DAVIT)_[A-Z0-9_]+)/g;
/** With more different letters it is probably another name. */
const MAX_DISTANCE = 2;

const KNOWN: ReadonlySet<string> = new Set(PREDEFINED);

export function lintNames(context: LintContext): void {
  const texts = [context.request.file.text, ...Object.values(context.request.included ?? {})];
  const seen = new Set<Node>();
  const judged = new Map<string, string | undefined>();
  const meant = (name: string): string | undefined => {
    if (!judged.has(name)) judged.set(name, meantBy(name, context, texts));
    return judged.get(name);
  };
  for (const job of context.jobs.values()) {
    lintPolicies(job, context);
    for (const { value } of job.entries.values()) {
      if (seen.has(value)) continue;
      seen.add(value);
      for (const scalar of scalars(value)) lintScalar(scalar, meant, context);
    }
  }
  const rest = [context.include, context.file.workflow, context.file.variables].flatMap((node) =>
    node ? scalars(node) : [],
  );
  for (const scalar of rest) lintScalar(scalar, meant, context);
}

function lintScalar(
  node: ScalarNode,
  meant: (name: string) => string | undefined,
  { problems }: LintContext,
): void {
  if (!node.text.includes('$')) return;
  for (const [, name = ''] of node.text.matchAll(REFERENCE)) {
    const other = meant(name);
    if (other === undefined) continue;
    const at = node.source.text.indexOf(name, node.offset);
    problems.add('language/misspelt', `nothing sets $${name}`, {
      at: at === -1 ? node : { source: node.source, offset: at },
      hint: `Did you mean "${other}"?`,
      severity: 'warning',
    });
  }
}

/**
 * The predefined variable that was meant; undefined for a name that is known, set somewhere, or similar to
 * none.
 */
function meantBy(
  name: string,
  { request }: LintContext,
  texts: readonly (string | null)[],
): string | undefined {
  if (KNOWN.has(name)) return undefined;
  const given = [...request.project.variables, ...request.instanceVariables].map((one) => one.name);
  if (given.includes(name) || request.trigger.variables?.[name] !== undefined) return undefined;
  // A comparison sets nothing: `$NAME == "x"`, `[ "$NAME" = x ]`. With a default in it, the name may be meant to be unset.
  const sets = new RegExp(
    `(?<!\\$\\{?|\\w)${name}["']?\\s*(?::|=(?![=~]))|\\$\\{${name}:?[-=+?]|\\bread\\b[^\\n]*(?<!\\$\\{?|\\w)${name}\\b|[\\[,\\s]["']?${name}["']?\\s*(?:,|\\])`,
  );
  if (texts.some((text) => text !== null && sets.test(text))) return undefined;
  return nearest(name, PREDEFINED, MAX_DISTANCE);
}

/** An unknown word counts as the name of a branch or tag, so the job never runs. */
function lintPolicies(job: JobConfig, { problems }: LintContext): void {
  for (const keyword of ['only', 'except'] as const)
    for (const [index, ref] of (job.values[keyword]?.refs ?? []).entries()) {
      if (ref.length < 3 || ref.startsWith('/') || POLICY_REFS.includes(ref)) continue;
      const singular = POLICY_REFS.find((word) => word === `${ref}s` || word === `${ref}es`);
      // GitLab accepts the singular for a source, but not for branches and tags.
      if (singular && ref !== 'tag' && ref !== 'branch') continue;
      const meant =
        singular ??
        (ref.length >= 4 ? nearest(ref, POLICY_REFS, ref.length < 7 ? 1 : MAX_DISTANCE) : undefined);
      if (meant === undefined) continue;
      const entry = job.entries.get(keyword)?.value;
      problems.add('language/misspelt', `"${ref}" in ${keyword} matches only a branch or tag of that name`, {
        at: placeIn(job, keyword, entry?.kind === 'map' ? ['refs', index] : [index]),
        hint: `Did you mean "${meant}"?`,
        severity: 'warning',
      });
    }
}

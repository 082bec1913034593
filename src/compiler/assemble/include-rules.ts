/**
 * `rules` of an include. A condition whose facts are not loaded yet does not hold, and its facts are noted as
 * needed.
 */
import type { Problems } from '../problems.ts';
import type { CompileRequest } from '../request.ts';
import { checkExpression } from '../rules/check-conditions.ts';
import { comparesWithBefore, ConditionChecker } from '../rules/conditions.ts';
import { itemNodes, ruleKey } from '../yaml/rule-nodes.ts';
import { remoteFilesKey } from '../../match/path-patterns.ts';
import type { WrittenInclude } from '../schema/keywords/include.ts';
import { isNull, type Node } from '../yaml/nodes.ts';
import type { IncludeLocator, Item } from './include-locate.ts';

type Rules = NonNullable<WrittenInclude['rules']>;
type Files = Pick<CompileRequest, 'files' | 'elsewhere'>;

export class IncludeRules {
  readonly #request: CompileRequest;
  readonly #problems: Problems;
  readonly #locator: IncludeLocator;

  constructor(request: CompileRequest, problems: Problems, locator: IncludeLocator) {
    this.#request = request;
    this.#problems = problems;
    this.#locator = locator;
  }

  /** True without rules; else the first that matches decides. */
  hold(rules: Rules | undefined, at: Node, item: Item): boolean {
    if (!rules) return true;
    for (const node of itemNodes(ruleKey(at, 'rules'))) {
      const expression = ruleKey(node, 'if');
      if (expression && !isNull(expression)) checkExpression('if', expression, this.#problems);
    }
    const asked = this.#askForChanges(rules, item);
    const files = this.#filesFor(rules, item);
    if (!asked || !files) return false;
    const checker = new ConditionChecker({ ...this.#request, ...files });
    const rule = rules.find((one) => checker.failed(one, item.scope) === undefined);
    return rule !== undefined && rule.when !== 'never';
  }

  /** False while something that the rules compare with is not loaded. */
  #askForChanges(rules: Rules, { scope, at }: Item): boolean {
    const { trigger, changed, changedFor = [] } = this.#request;
    let asked = true;
    for (const { changes } of rules) {
      if (!changes) continue;
      const since = changes.compare_to === undefined ? '' : scope.expandPath(changes.compare_to, true);
      if (since === '' && !comparesWithBefore(trigger)) continue;
      if (!changedFor.includes(since)) {
        this.#locator.needed.changed.add(since);
        asked = false;
      } else if (since !== '' && changed && !changed[since])
        this.#problems.add('language/unknown-ref', `compare_to: the repository has no ref "${since}"`, {
          at,
        });
    }
    return asked;
  }

  /** What `exists` searches: the source of the including file, and projects that a rule names. */
  #filesFor(rules: Rules, item: Item): Files | undefined {
    const looking = rules.flatMap(({ exists }) => exists ?? []);
    if (looking.length === 0) return {};
    if (item.base.kind === 'remote') {
      const message = 'exists cannot be used in a remote file, which has no source';
      this.#problems.add('language/include', message, { at: item.at });
      return undefined;
    }
    let known = true;
    const found: { files?: readonly string[]; elsewhere: Record<string, readonly string[]> } = {
      elsewhere: {},
    };
    for (const { project, ref } of looking) {
      const named = project === undefined ? undefined : item.scope.expandPath(project, false);
      const at = ref === undefined ? undefined : item.scope.expandPath(ref, false);
      const files =
        named === undefined
          ? this.#locator.list(item.base, item.at)
          : this.#locator.listOf({ path: named }, at, item.at);
      if (!files) known = false;
      else if (named === undefined) found.files = files;
      else found.elsewhere[remoteFilesKey(named, at)] = files;
    }
    return known ? found : undefined;
  }
}

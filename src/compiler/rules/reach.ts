import type { Problems } from '../problems.ts';
import type { Node } from '../yaml/nodes.ts';

/**
 * Rules that are never reached. A rule may stand in the lists of several jobs, by an anchor, a reference or `extends`: it is
 * reported, once, only if none of them reaches it.
 */
export class Reach {
  /** Why a rule is not reached; undefined: a job reaches it, or an earlier rule says it all. */
  readonly #whys = new Map<Node, string | undefined>();

  reached(node: Node): void {
    this.#whys.set(node, undefined);
  }

  /** Without a reason, nothing is reported for this rule. */
  missed(node: Node, why?: string): void {
    if (!this.#whys.has(node)) this.#whys.set(node, why);
  }

  report(problems: Problems): void {
    for (const [node, why] of this.#whys)
      if (why !== undefined) problems.add('language/unreachable', why, { at: node, severity: 'warning' });
  }
}

/**
 * The grammar of `rules:if`. Pure: text in, tree or mistake out. Comparisons bind tighter than `&&`, which
 * binds tighter than `||`; all are left-associative. Source: GitLab's
 * `Gitlab::Ci::Pipeline::Expression::Parser`.
 */
import { tokenize, type Mistake, type Operator, type Token, type Words } from './lexer.ts';

export type { Mistake } from './lexer.ts';
export type Expression =
  | { kind: 'variable'; name: string; at: number }
  | { kind: 'value'; value: string | boolean | null }
  | { kind: 'pattern'; text: string; at: number }
  | { kind: 'operation'; operator: Operator; left: Expression; right: Expression };
export type Parsed = { ok: true; expression: Expression } | { ok: false; mistake: Mistake };

const LEVELS: readonly (readonly Operator[])[] = [['||'], ['&&'], ['==', '!=', '=~', '!~']];

export function parseExpression(text: string, words: Words = {}): Parsed {
  const tokens = tokenize(text, words);
  if (!Array.isArray(tokens)) return { ok: false, mistake: tokens };
  const parser = new Parser(tokens, text.length);
  const expression = parser.level(0);
  const rest = parser.rest();
  if ('message' in expression) return { ok: false, mistake: expression };
  if (rest) return { ok: false, mistake: rest };
  return { ok: true, expression };
}

/** Recursion is bounded by the lexer's limit on tokens. */
class Parser {
  readonly #tokens: readonly Token[];
  readonly #end: number;
  #next = 0;

  constructor(tokens: readonly Token[], end: number) {
    this.#tokens = tokens;
    this.#end = end;
  }

  level(depth: number): Expression | Mistake {
    const operators = LEVELS[depth];
    if (!operators) return this.#operand();
    let left = this.level(depth + 1);
    for (;;) {
      const token = this.#tokens[this.#next];
      if ('message' in left || token?.kind !== 'operator' || !operators.includes(token.operator)) return left;
      this.#next += 1;
      const right = this.level(depth + 1);
      if ('message' in right) return right;
      left = { kind: 'operation', operator: token.operator, left, right };
    }
  }

  /** The mistake of tokens after the end of the expression. */
  rest(): Mistake | undefined {
    const token = this.#tokens[this.#next];
    if (!token) return undefined;
    return token.kind === 'close'
      ? { at: token.at, message: 'has an extra closing parenthesis' }
      : { at: token.at, message: 'has two values without an operator between them' };
  }

  #operand(): Expression | Mistake {
    const token = this.#tokens[this.#next];
    if (!token)
      return { at: this.#end, message: this.#next === 0 ? 'is empty' : 'ends where a value is expected' };
    if (token.kind === 'operator')
      return { at: token.at, message: `has ${token.operator} where a value is expected` };
    if (token.kind === 'close')
      return { at: token.at, message: 'has a closing parenthesis where a value is expected' };
    this.#next += 1;
    if (token.kind === 'open') return this.#inParentheses(token.at);
    return token;
  }

  #inParentheses(at: number): Expression | Mistake {
    const inner = this.level(0);
    if ('message' in inner) return inner;
    const close = this.#tokens[this.#next];
    if (close?.kind === 'close') {
      this.#next += 1;
      return inner;
    }
    return close
      ? { at: close.at, message: 'has two values without an operator between them' }
      : { at, message: 'has an unclosed parenthesis' };
  }
}

/** Every part of an expression, the whole first. */
export function* partsOf(expression: Expression): Generator<Expression> {
  yield expression;
  if (expression.kind !== 'operation') return;
  yield* partsOf(expression.left);
  yield* partsOf(expression.right);
}

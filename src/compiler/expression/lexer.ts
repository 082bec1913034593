/**
 * The tokens of a `rules:if` expression, as in GitLab's `Expression::Lexer`: variables, strings in both
 * quotes (no escapes), patterns, null, true, false, operators, parentheses. At most 100 of them.
 */
export type Operator = '==' | '!=' | '=~' | '!~' | '&&' | '||';
export type Token =
  | { kind: 'variable'; name: string; at: number }
  | { kind: 'value'; value: string | boolean | null; at: number }
  | { kind: 'pattern'; text: string; at: number }
  | { kind: 'operator'; operator: Operator; at: number }
  | { kind: 'open'; at: number }
  | { kind: 'close'; at: number };
/** `at`: offset in the expression. */
export interface Mistake {
  at: number;
  message: string;
  hint?: string;
}

const MAX_TOKENS = 100;
const WORDS =
  /(?<space>\s+)|(?<open>\()|(?<close>\))|\$(?<variable>\w+)|\$\[\[\s*(?<input>inputs\.[\w-]+)\s*\]\]|"(?<double>[^"]*)"|'(?<single>[^']*)'|(?<pattern>\/(?:[^/\\\n]|\\.)+\/[ismU]*)|(?<word>null|true|false)\b|(?<operator>==|=~|!=|!~|&&|\|\|)/y;

const LITERALS: Readonly<Record<string, null | boolean>> = { null: null, true: true, false: false };
const isOperator = (text: string): text is Operator =>
  text === '==' || text === '!=' || text === '=~' || text === '!~' || text === '&&' || text === '||';

export interface Words {
  /** Also accept `$[[ inputs.NAME ]]`, as a variable named `inputs.NAME`. */
  inputs?: boolean;
}

/** The tokens, or the first place where none begins. */
export function tokenize(text: string, words: Words = {}): Token[] | Mistake {
  const tokens: Token[] = [];
  WORDS.lastIndex = 0;
  while (WORDS.lastIndex < text.length) {
    const at = WORDS.lastIndex;
    const groups = WORDS.exec(text)?.groups;
    if (!groups || (groups.input !== undefined && !words.inputs)) return mistakeAt(text, at);
    const token = tokenOf(groups, at);
    if (token) tokens.push(token);
    if (tokens.length > MAX_TOKENS) return { at, message: `has more than ${MAX_TOKENS} tokens` };
  }
  return tokens;
}

function tokenOf(groups: Record<string, string | undefined>, at: number): Token | undefined {
  if (groups.space !== undefined) return undefined;
  if (groups.open !== undefined) return { at, kind: 'open' };
  if (groups.close !== undefined) return { at, kind: 'close' };
  if (groups.variable !== undefined) return { at, kind: 'variable', name: groups.variable };
  if (groups.input !== undefined) return { at, kind: 'variable', name: groups.input };
  if (groups.pattern !== undefined) return { at, kind: 'pattern', text: groups.pattern };
  if (groups.word !== undefined) return { at, kind: 'value', value: LITERALS[groups.word] ?? null };
  if (groups.operator !== undefined && isOperator(groups.operator))
    return { at, kind: 'operator', operator: groups.operator };
  return { at, kind: 'value', value: groups.double ?? groups.single ?? '' };
}

function mistakeAt(text: string, at: number): Mistake {
  const rest = text.slice(at);
  const word = /^(?:\$\{\w*\}?|[\w.-]+|\S)/.exec(rest)?.[0] ?? rest.slice(0, 1);
  if (rest.startsWith('$[['))
    return {
      at,
      message: 'has an input that is not replaced',
      hint: 'The file needs a header with spec:inputs.',
    };
  if (rest.startsWith('${'))
    return { at, message: `has an unexpected ${word}`, hint: 'Write a variable without braces here: $NAME.' };
  if (rest.startsWith('"') || rest.startsWith("'")) return { at, message: `has an unterminated string` };
  if (rest.startsWith('/'))
    return {
      at,
      message: 'has an unterminated pattern',
      hint: 'Write /pattern/, with \\/ for a slash in it.',
    };
  if (/^(=|!|&|\|)/.test(rest))
    return {
      at,
      message: `has an unexpected "${word}"`,
      hint: 'The operators are ==, !=, =~, !~, && and ||.',
    };
  return {
    at,
    message: `has an unexpected "${word}"`,
    hint: 'Put strings in quotes; variables begin with $.',
  };
}

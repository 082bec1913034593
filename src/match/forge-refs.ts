/**
 * Which branches and tags a forge protects, in the forge's own patterns. Each forge interprets `*` differently,
 * and too wide an interpretation would give protected secrets to a ref that anyone may push. Plain JSON,
 * because it is stored and sent.
 */
import { RE2JS } from 're2js';
import { compileGlob } from './ruby-glob.ts';
import { wildcardMatches } from './wildcard.ts';

/**
 * name: exactly this · all: every ref · wildcard: `*` is any text (GitLab) · path: branches of Gitea, where `*`
 * stops at a slash and `**` does not · text: tags of Gitea, where `*` is any text · regex: tags of Gitea between
 * slashes · fnmatch: rulesets of GitHub.
 */
export type PatternSyntax = 'name' | 'all' | 'wildcard' | 'path' | 'text' | 'regex' | 'fnmatch';

export interface ForgeRefPattern {
  /** As the forge shows it. */
  written: string;
  syntax: PatternSyntax;
  /** Refs that it matches and does not protect. */
  except?: ForgeRefPattern[] | undefined;
}
export interface ForgeProtection {
  branches: ForgeRefPattern[];
  tags: ForgeRefPattern[];
}

/** `unknown`: no readable pattern protects the ref, and at least one pattern is unreadable. */
export function forgeProtects(
  patterns: readonly ForgeRefPattern[],
  ref: string,
): 'protected' | 'unprotected' | 'unknown' {
  const answers = patterns.map((pattern) => protects(pattern, ref));
  if (answers.includes(true)) return 'protected';
  return answers.includes(undefined) ? 'unknown' : 'unprotected';
}

function protects({ except = [], ...pattern }: ForgeRefPattern, ref: string): boolean | undefined {
  const found = matches(pattern, ref);
  if (found !== true) return found;
  const excluded = except.map((one) => protects(one, ref));
  if (excluded.includes(true)) return false;
  return excluded.includes(undefined) ? undefined : true;
}

/** Undefined: the pattern cannot be read. */
function matches({ written, syntax }: ForgeRefPattern, ref: string): boolean | undefined {
  switch (syntax) {
    case 'name':
      return written === ref;
    case 'all':
      return true;
    case 'wildcard':
      return wildcardMatches(written, ref);
    case 'regex':
      return readable(() => RE2JS.compile(written.slice(1, -1)).matcher(ref).find());
    case 'fnmatch':
      return readable(() => compileGlob(written)(ref));
    case 'path':
    case 'text':
      // `[^a]` is not a negation at Gitea; nobody writes it, and it is not guessed at.
      return written.includes('[^') ? undefined : readable(() => compileGlob(written, syntax)(ref));
    default:
      return undefined; // of a newer version
  }
}

function readable(work: () => boolean): boolean | undefined {
  try {
    return work();
  } catch {
    return undefined; // the caller treats the refs as unknown
  }
}

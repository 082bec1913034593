/**
 * The files of a project that `artifacts:paths` and `exclude` select, as GitLab's runner does: a pattern selects what it
 * matches, and all in a matching folder; an excluded folder does not exclude its content unless the pattern says so. Links
 * to folders are walked where a pattern has more names behind them, and never else. Pure.
 */
import { posix } from 'node:path';
import { doublestar, type Glob } from '../../../src/match/doublestar.ts';

export interface Selection {
  /** Directories or files below the project that have to be read, `''` for all of it. */
  bases: string[];
  /**
   * Indexes of the patterns that select this path; empty: not selected. `behind`: how many of its names lead to a linked
   * folder: a link that matches is selected as a link, without what is behind it.
   */
  chosenBy(path: string, isFolder: boolean, behind?: number): number[];
  excludes(path: string): boolean;
  /** A pattern has more names behind this path: if it is a link to a folder, that is walked. */
  leadsBelow(path: string): boolean;
  /** The patterns as written. */
  patterns: string[];
  /** Patterns that lead out of the project. */
  refused: string[];
  /** Patterns that are not valid, such as `[a`. */
  invalid: string[];
}

export function selectFiles(
  projectDir: string,
  paths: readonly string[],
  exclude: readonly string[],
): Selection {
  const written = paths.filter((path) => path !== '');
  const refused = written.filter((path) => patternIn(projectDir, path) === undefined);
  const patterns = written.filter((path) => !refused.includes(path));
  const own = patterns.map((path) => patternIn(projectDir, path) ?? '');
  const globs = own.map(globOf);
  // Always matched as a pattern, so `a\,b` is `a,b`; a path to select is looked up by name if it has no wildcard.
  const excluded = exclude.flatMap((path) => {
    const glob = path === '' ? undefined : doublestar(patternIn(projectDir, path) ?? '');
    return glob ? [glob] : [];
  });
  const excludes = (path: string): boolean => excluded.some((glob) => glob.matches(path, true));
  return {
    bases: outermost(own.flatMap((pattern, index) => (globs[index] ? [baseOf(pattern)] : []))),
    patterns,
    refused,
    invalid: patterns.filter((_, index) => !globs[index]),
    excludes,
    chosenBy(path, isFolder, behind = 0) {
      if (excludes(path)) return [];
      const steps = withParents(path).filter((step) => step.split('/').length > behind);
      return globs.flatMap((glob, index) =>
        (own[index] === '' && behind === 0) ||
        steps.some((step) => glob?.matches(step, isFolder || step !== path))
          ? [index]
          : [],
      );
    },
    leadsBelow: (path) => globs.some((glob) => glob?.leadsBelow(path)),
  };
}

const META = /[*?[{]/;

/** The path or pattern relative to the project, `''` for the project itself; undefined if it leads out of it. */
function patternIn(projectDir: string, pattern: string): string | undefined {
  if (pattern.includes('\0')) return undefined;
  const [base, rest] = META.test(pattern) ? split(pattern) : [pattern, ''];
  const path = posix.relative(projectDir, posix.resolve(projectDir, base));
  const whole = posix.join(path, rest).replace(/\/+$/, '');
  if (whole === '..' || whole.startsWith('../')) return undefined;
  return whole === '.' ? '' : whole;
}

/** The folder before the first name with a wildcard, and the rest. */
function split(pattern: string): [base: string, rest: string] {
  let slash = -1;
  for (let at = 0; at < pattern.length && !META.test(pattern[at] ?? ''); at += 1) {
    if (pattern[at] === '\\') at += 1;
    else if (pattern[at] === '/') slash = at;
  }
  return slash === -1 ? ['', pattern] : [pattern.slice(0, slash) || '/', pattern.slice(slash + 1)];
}

/** A path without a wildcard: closing brackets may be escaped, and an open `}` must be. */
const PLAIN = /^(?:\\[^]|[^\\}])*$/;
const plainPath = (pattern: string): string => pattern.replaceAll(/\\([\]}])/g, '$1');

function globOf(pattern: string): Glob | undefined {
  if (META.test(pattern)) return doublestar(pattern);
  if (!PLAIN.test(pattern)) return undefined;
  const own = plainPath(pattern);
  return { matches: (path) => path === own, leadsBelow: (path) => own.startsWith(`${path}/`) };
}

const baseOf = (pattern: string): string =>
  META.test(pattern) ? split(pattern)[0].replaceAll(/\\(.)/gsu, '$1') : plainPath(pattern);

/** `a/b/c` gives `a/b/c`, `a/b`, `a`. */
export function withParents(path: string): string[] {
  const above = posix.dirname(path);
  return above === '.' || above === '' ? [path] : [path, ...withParents(above)];
}

/** Removes paths that are inside another one. */
function outermost(bases: readonly string[]): string[] {
  const all = [...new Set(bases)];
  return all.filter(
    (base) => !all.some((other) => other !== base && (other === '' || base.startsWith(`${other}/`))),
  );
}

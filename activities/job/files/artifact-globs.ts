/**
 * The files of a project that `artifacts:paths` and `exclude` select (GitLab: doublestar globs; a directory
 * means all in it; an excluded directory does not exclude its content unless the pattern says so). Pure.
 */
import { posix } from 'node:path';
import picomatch from 'picomatch';
import { inside } from '../../runtime/path-inside.ts';

const OPTIONS = { dot: true, nonegate: true, noextglob: true, nocase: false } as const;

export interface Selection {
  /** Directories or files below the project that have to be read, `''` for all of it. */
  bases: string[];
  /** Indexes of the patterns that select this path; empty: not selected. */
  chosenBy(path: string): number[];
  /** The patterns as written. */
  patterns: string[];
  /** Patterns that lead out of the project. */
  refused: string[];
}

export function selectFiles(
  projectDir: string,
  paths: readonly string[],
  exclude: readonly string[],
): Selection {
  const own = (pattern: string): string | undefined => {
    const relative = pattern.startsWith(`${projectDir}/`) ? pattern.slice(projectDir.length + 1) : pattern;
    return relative === projectDir ? '' : inside(relative);
  };
  const refused = paths.filter((path) => own(path) === undefined);
  const patterns = paths.filter((path) => own(path) !== undefined);
  const matchers = patterns.map((path) => {
    const pattern = own(path) ?? '';
    return pattern === '' ? () => true : picomatch(pattern, OPTIONS);
  });
  const excluded = exclude.map(own).filter((path) => path !== undefined);
  const isExcluded = excluded.length === 0 ? () => false : picomatch(excluded, OPTIONS);
  return {
    bases: outermost(patterns.map((path) => baseOf(own(path) ?? ''))),
    patterns,
    refused,
    chosenBy(path) {
      if (isExcluded(path)) return [];
      const steps = withParents(path);
      return matchers.flatMap((matches, index) => (steps.some((step) => matches(step)) ? [index] : []));
    },
  };
}

/** The part of a pattern before its first wildcard. */
function baseOf(pattern: string): string {
  const { base, isGlob } = picomatch.scan(pattern, OPTIONS);
  return isGlob ? (base === '.' ? '' : base.replace(/\/+$/, '')) : pattern;
}

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

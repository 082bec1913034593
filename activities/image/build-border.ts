/**
 * What a build may reach on an engine that other projects build on too. BuildKit keeps cache mounts of all builds
 * by an id that the Dockerfile chooses, and its local images, its host network for `ADD` and its git know no
 * projects. Pure.
 */
import { wildcardMatches } from '../../src/match/wildcard.ts';
import type { BuildSpec } from '../../src/plan/model/spec.ts';

/** Cache mounts are shared by builds of one project, and protected refs have theirs apart. */
export const cacheMountsOf = ({
  project,
  protectedRef,
}: Pick<BuildSpec, 'project' | 'protectedRef'>): string =>
  `davit/${project}/${protectedRef ? 'protected' : 'branches'}`;

/** Anywhere in the file, where BuildKit looks at its beginning only: rather one too many. */
const DIRECTIVE = /^\s*(?:#|\/\/)\s*syntax\s*=\s*(\S+)/gim;
/** A file of another kind, which names its frontend as a field. */
const FIELD = /^\s*\{[^]*?"syntax"\s*:\s*"([^"]+)"/i;

/** Images that BuildKit would run to read the Dockerfile. They decide what the build is, cache mounts too. */
export function frontendsOf(dockerfile: string, args: Readonly<Record<string, string>>): string[] {
  const named = [...dockerfile.matchAll(DIRECTIVE)].map((found) => found[1] ?? '');
  const others = [FIELD.exec(dockerfile)?.[1], args.BUILDKIT_SYNTAX];
  return [...named, ...others.filter((one) => one !== undefined)];
}

/** Why the Dockerfile may not name its frontend; undefined when it may. `allowed`: of the worker's file. */
export function frontendRefusal(
  frontends: readonly string[],
  { protectedRef, local }: Pick<BuildSpec, 'protectedRef' | 'local'>,
  allowed: readonly string[],
): string | undefined {
  if (protectedRef || local) return undefined;
  const bare = (name: string): string => name.replace(/^docker\.io\//, '');
  const other = frontends.find((name) => !allowed.some((pattern) => wildcardMatches(pattern, bare(name))));
  return other === undefined
    ? undefined
    : `The Dockerfile is written for ${other}, which is not among the frontends that this worker runs for unprotected refs (${allowed.join(', ')}).`;
}

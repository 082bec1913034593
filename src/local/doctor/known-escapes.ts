/**
 * Versions of engines and runtimes with known ways out of a container, or out of a build. Pure.
 * Not listed: holes that davit's own calls do not open, as those of compressed uploads (CVE-2026-41567).
 */
export interface Component {
  /** As `accept_engine_versions` of a worker names it: `docker`, `runc`. */
  name: 'docker' | 'runc';
  version: string;
}
interface Escape {
  cves: string;
  /** By release line, `major.minor`, the first patch without it. An older line that is not listed has it, a newer one has not. */
  fixedIn: readonly string[];
}

const ESCAPES: Record<Component['name'], readonly Escape[]> = {
  runc: [
    { cves: 'CVE-2024-21626', fixedIn: ['1.1.12'] },
    { cves: 'CVE-2025-31133, CVE-2025-52565, CVE-2025-52881', fixedIn: ['1.2.8', '1.3.3', '1.4.0-rc.3'] },
  ],
  docker: [{ cves: 'CVE-2024-23651, CVE-2024-23652, CVE-2024-23653', fixedIn: ['25.0.2'] }],
};
/** Only where the engine has an authorization plugin. */
const PLUGIN_BYPASS: Escape = {
  cves: 'CVE-2024-41110',
  fixedIn: ['23.0.15', '25.0.6', '26.1.5', '27.1.1'],
};

/** Major, minor, patch, release candidate (infinite: the release itself). */
type Numbers = readonly [number, number, number, number];
function numbersOf(version: string): Numbers | undefined {
  const found = /^v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-~.]?rc[-.~]?(\d+))?/.exec(version);
  if (!found) return undefined;
  const [, major = '', minor = '', patch = '0', candidate] = found;
  return [
    Number(major),
    Number(minor),
    Number(patch),
    candidate === undefined ? Number.POSITIVE_INFINITY : Number(candidate),
  ];
}
const isBelow = (one: Numbers, other: Numbers): boolean => {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at >= 0 && (one[at] ?? 0) < (other[at] ?? 0);
};

/** A distribution's build has fixes of its own, which the number does not show: `1.1.5+ds1`, `24.0.7-0ubuntu2`. */
export const isOfDistribution = (version: string): boolean =>
  !/^v?\d+(\.\d+)*([-~.]?rc[-.~]?\d+)?$/.test(version);

function has(escape: Escape, version: Numbers): boolean {
  const fixes = escape.fixedIn.flatMap((text) => {
    const fixed = numbersOf(text);
    return fixed ? [fixed] : [];
  });
  const sameLine = fixes.find(([major, minor]) => major === version[0] && minor === version[1]);
  if (sameLine) return isBelow(version, sameLine);
  const newest = fixes.at(-1);
  return newest !== undefined && isBelow(version, newest);
}

export interface KnownEscapes {
  cves: string[];
  /** The newest first version without any of them. */
  upgradeTo: string;
}

/** Undefined: none is known, or the version cannot be read. */
export function knownEscapes(
  { name, version }: Component,
  { plugins = false }: { plugins?: boolean } = {},
): KnownEscapes | undefined {
  const numbers = numbersOf(version);
  if (!numbers) return undefined;
  const listed = [...ESCAPES[name], ...(name === 'docker' && plugins ? [PLUGIN_BYPASS] : [])];
  const found = listed.filter((one) => has(one, numbers));
  const last = found.at(-1)?.fixedIn;
  if (!last) return undefined;
  return { cves: found.map(({ cves }) => cves), upgradeTo: last.join(', ') };
}

/** What a newer version changes, by its changelog and that of the running one. Pure. */

export interface ChangelogEntry {
  /** `Added`, `Changed`, `Removed`… */
  section: string;
  /** Markdown, in one line. */
  text: string;
  /** Something that an installation or a pipeline relies on is gone or works differently. */
  breaking: boolean;
}

/** How such an entry begins (CHANGELOG.md says so). */
const BREAKING = '**Breaking.**';
/** What a reader has to know comes first. */
const ORDER = ['Removed', 'Security', 'Deprecated', 'Changed', 'Fixed', 'Added'];

export function entriesOf(changelog: string): ChangelogEntry[] {
  const entries: ChangelogEntry[] = [];
  let section = '';
  let open = false;
  for (const line of changelog.split('\n')) {
    const heading = /^### (.+)$/.exec(line)?.[1];
    const item = /^- (.+)$/.exec(line)?.[1];
    if (line.startsWith('## ')) section = '';
    if (heading !== undefined) section = heading.trim();
    const last = entries.at(-1);
    if (item !== undefined && section !== '') entries.push({ section, text: item.trim(), breaking: false });
    else if (open && last && /^ {2,}\S/.test(line)) last.text += ` ${line.trim()}`;
    open = item !== undefined || (open && /^ {2,}\S/.test(line));
  }
  return entries.map((one) => ({
    ...one,
    text: one.text.replace(BREAKING, '').trim(),
    breaking: one.section === 'Removed' || one.text.startsWith(BREAKING),
  }));
}

/**
 * The entries of the newer changelog that the running version's does not have: also right for an `[Unreleased]` part
 * that both have. Breaking ones first.
 */
export function newEntries(newer: string, running: string): ChangelogEntry[] {
  const known = new Set(entriesOf(running).map(({ text }) => text));
  const seen = new Set<string>();
  const found = entriesOf(newer).filter(({ text }) => {
    const isNew = !known.has(text) && !seen.has(text);
    seen.add(text);
    return isNew;
  });
  return found.toSorted((a, b) => rank(a) - rank(b));
}

const rank = ({ breaking, section }: ChangelogEntry): number =>
  breaking ? -1 : ORDER.includes(section) ? ORDER.indexOf(section) : ORDER.length;

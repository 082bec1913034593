/**
 * docs/language/keywords.md: every keyword of GitLab's and davit's language, from the list that the compiler
 * uses.
 */
import type { KeywordInfo } from '../../src/compiler/schema/validation/keyword.ts';
import { anchorOf, table } from './markdown.ts';

export interface Page {
  /** Name of the file in docs/language. */
  file: string;
  text: string;
}

const HEAD = `# Keywords
Every keyword of the language, and what davit does with it. "file" is the top level of a pipeline file, "default" the map of
that name. Each name links to its description. \`npm run docs\` writes this page from \`src/pipeline/schema\`.
`;
const REFUSED = `## Refused keywords
These keywords of GitLab are errors in davit (\`language/refused\`). A key of a job that is in neither table is an error as
well (\`language/unknown-keyword\`). Nothing is ignored silently.
`;
const SUPPORT = { same: 'supported', differs: 'supported, differs', davit: "davit's own" } as const;

/** A heading that consists of names of keywords (\`\`## \`only\`, \`except\`\`\`) describes these. */
export function headingsOf(pages: readonly Page[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { file, text } of pages)
    for (const [, heading = ''] of text.matchAll(/^#{2,3} ((?:`[a-z_]+`(?:, | and )?)+)$/gm))
      for (const [, name = ''] of heading.matchAll(/`([a-z_]+)`/g))
        if (!found.has(name)) found.set(name, `${file}#${anchorOf(heading)}`);
  return found;
}

export function keywordsPage(
  keywords: readonly KeywordInfo[],
  headings: ReadonlyMap<string, string>,
): string {
  const supported = keywords.flatMap((one) =>
    one.status === 'refused'
      ? []
      : [[linked(one.name, headings), whereOf(one), SUPPORT[one.status], one.note ?? '']],
  );
  const refused = keywords
    .filter((one) => one.status === 'refused')
    .map((one) => [`\`${one.name}\``, whereOf(one), one.note ?? '', one.hint ?? '']);
  return [
    HEAD,
    table(['keyword', 'where', 'davit', 'note'], supported),
    '',
    REFUSED,
    `${table(['keyword', 'where', 'reason', 'instead'], refused)}\n`,
  ].join('\n');
}

const whereOf = (keyword: KeywordInfo): string =>
  keyword.in.map((where) => (where === 'top' ? 'file' : where)).join(', ');

function linked(name: string, headings: ReadonlyMap<string, string>): string {
  const target = headings.get(name);
  return target === undefined ? `\`${name}\`` : `[\`${name}\`](${target})`;
}

/** Trees with links and odd names, and patterns that nearly match them. */
import fc from 'fast-check';
import { FileTree, folder, type Node } from './file-tree.ts';
import type { Wanted } from './gitlab-archiver.ts';

export const PROJECT = '/builds/p';
const OUTSIDE = '/outside';

const NAMES = [
  ...['a', 'b', 'c', 'out', 'a.txt', 'b.txt', 'c.log', '.hidden', 'sub', 'link', 'dir', 'x.o', 'A'],
  ...[
    'with space',
    'é',
    '日本',
    '😀',
    '[x]',
    '{y}',
    '*',
    '?',
    '**',
    '-',
    '^',
    '!',
    '!a',
    '~',
    '+',
    '(1)',
    '$v',
    '@x',
  ],
  ...[
    "it's",
    '"q"',
    'line\nbreak',
    'a,b',
    ']',
    '}',
    '#',
    '%41',
    '|',
    '&',
    ';',
    'a*b',
    'tab\there',
    '...',
    'trailing ',
  ],
];
const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NAMES.slice(0, 13)) },
  { weight: 2, arbitrary: fc.constantFrom(...NAMES) },
);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));

/** Where a link leads, seen from its folder. */
const target = fc.oneof(
  path,
  path.map((to) => `../${to}`),
  fc.constantFrom('.', '..', '../..', 'nowhere', '/nowhere', 'a', '../a', 'sub', '../sub', 'dir', 'out'),
  path.map((to) => `${PROJECT}/${to}`),
  fc.constantFrom(OUTSIDE, `${OUTSIDE}/dir`, `${OUTSIDE}/dir/a.txt`),
);
const mode = fc.constantFrom(0o644, 0o600, 0o755, 0o700, 0o666, 0o777, 0o400, 0o4755);
const uid = fc.constantFrom(0, 1000, 65534);

type Planned = { path: string; what: 'file' | 'folder' | 'link'; to: string; mode: number; uid: number };
const planned: fc.Arbitrary<Planned> = fc.record({
  path,
  what: fc.constantFrom('file', 'file', 'file', 'folder', 'link', 'link'),
  to: target,
  mode,
  uid,
});

export interface TreeCase {
  tree: FileTree;
  wanted: Wanted;
}

/** What is planned first stays; what does not fit any more is left out. */
function treeOf(plan: readonly Planned[]): { tree: FileTree; files: string[]; all: string[] } {
  const tree = new FileTree();
  tree.put(PROJECT, folder());
  tree.put(`${OUTSIDE}/dir/a.txt`, { kind: 'file', text: 'outside a', mode: 0o644, uid: 0 });
  tree.put(`${OUTSIDE}/dir/deep/b.txt`, { kind: 'file', text: 'outside b', mode: 0o600, uid: 0 });
  const files: string[] = [];
  for (const one of plan) {
    const names = one.path.split('/');
    const above = names
      .slice(0, -1)
      .map((_, at) => tree.node(`${PROJECT}/${names.slice(0, at + 1).join('/')}`));
    if (above.some((node) => node && node.kind !== 'folder') || tree.node(`${PROJECT}/${one.path}`)) continue;
    tree.put(`${PROJECT}/${one.path}`, nodeOf(one));
    if (one.what !== 'folder') files.push(one.path);
  }
  return { tree, files, all: plan.map((one) => one.path) };
}

function nodeOf({ path: text, what, to, mode: permissions, uid: owner }: Planned): Node {
  if (what === 'link') return { kind: 'link', to };
  if (what === 'folder') return folder(permissions | 0o500, owner);
  return { kind: 'file', text: `content of ${text}`, mode: permissions, uid: owner };
}

const signs = (text: string): string[] => Array.from(text);

/** How one name of a path becomes a part of a pattern. */
const CHANGES: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => text,
  (text) => text.replaceAll(/[\\*?[\]{},]/g, (sign) => `\\${sign}`),
  () => '*',
  () => '**',
  (text) => `${signs(text)[0] ?? ''}*`,
  (text) => `*${signs(text).at(-1) ?? ''}`,
  (text) => `?${signs(text).slice(1).join('')}`,
  (text) => `{${text},a}`,
  (text) => `{x,{y,${text}}}`,
  (text) => `[${signs(text)[0] ?? 'a'}]${signs(text).slice(1).join('')}`,
  (text) => `[!${signs(text)[0] ?? 'a'}]${signs(text).slice(1).join('')}`,
  (text) => `[a-c]${signs(text).slice(1).join('')}`,
  (text) => `${text}**`,
  () => '*.txt',
  () => '*.{txt,log}',
];
const change = fc.nat({ max: CHANGES.length - 1 });
const wrap = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => text,
  (text) => `./${text}`,
  (text) => `${text}/`,
  (text) => `${PROJECT}/${text}`,
  (text) => `${text}/**`,
  (text) => `${text}/*`,
  (text) => `**/${text}`,
  (text) => `${text}/**/*`,
  (text) => `../p/${text}`,
  (text) => `../${text}`,
);
const fixed = fc.constantFrom(
  '.',
  '**',
  '*',
  '**/*',
  '**/*.txt',
  '',
  '[',
  'a{',
  '}',
  '..',
  '/etc',
  '*/**/*.txt',
  '\\',
);

const pattern = (known: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 1, arbitrary: fixed },
    {
      weight: 6,
      arbitrary: fc
        .tuple(
          fc.oneof(fc.constantFrom(...known, 'a'), path),
          fc.array(change, { minLength: 5, maxLength: 5 }),
          wrap,
        )
        .map(([from, changes, outer]) =>
          outer(
            from
              .split('/')
              .map((text, at) => CHANGES[changes[at] ?? 0]?.(text) ?? text)
              .join('/'),
          ),
        ),
    },
  );

export const treeCase: fc.Arbitrary<TreeCase> = fc
  .array(planned, { minLength: 1, maxLength: 14 })
  .chain((plan) => {
    const { tree, files, all } = treeOf(plan);
    return fc
      .record({
        paths: fc.array(pattern(all), { minLength: 1, maxLength: 3 }),
        exclude: fc.array(pattern(all), { maxLength: 2 }),
        tracked: fc.option(fc.subarray(files), { nil: undefined }),
      })
      .map(({ paths, exclude, tracked }) => ({
        tree,
        wanted: { paths, exclude, ...(tracked && { tracked: new Set(tracked) }) },
      }));
  });

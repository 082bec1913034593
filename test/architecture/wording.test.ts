/** Patterns that standard engineering English does not use, and that stay out of docs and messages. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'vite';
import { describe, expect, test } from 'vitest';
import { readSources, ROOT, type SourceFile, type SyntaxNode } from '../support/source.ts';

/**
 * The folders whose string literals are covered. Extend this list when the messages of a folder have been
 * rewritten.
 */
const COVERED_SOURCES: readonly string[] = [
  'activities/**/*.ts',
  'src/adapters/**/*.ts',
  'src/cli/**/*.ts',
  'src/compiler/**/*.ts',
  'src/config.ts',
  'src/errors.ts',
  'src/installation.ts',
  'src/local/**/*.ts',
  'src/masking/*.ts',
  'src/match/*.ts',
  'src/plan/**/*.ts',
  'src/server/**/*.ts',
  'src/temporal/**/*.ts',
  'src/wiring-server.ts',
  'src/wiring.ts',
  'src/worktree/**/*.ts',
  'workflows/**/*.ts',
];

const PATTERNS: Readonly<Record<string, RegExp>> = {
  'Nobody has': /\bnobody (has|knows)\b/i,
  whoever: /\bwho(so)?ever\b/i,
  anew: /\banew\b/i,
  '"is no X" for "is not an X"':
    /\b(is|was|are|were) no (?!longer\b|more\b|such\b|other\b|one\b|space\b|room\b|less\b)[a-z]/i,
  'a sentence that opens with "Of"': /(?:^|[.!?:] )Of (?!course\b)/m,
  '"answers" for returns': /\banswer(s|ed)\b/i,
};

/** The other patterns have meanings of their own in code. */
const IN_COMMENTS: readonly string[] = ['whoever', 'anew', 'a sentence that opens with "Of"'];

/** `there is no image` is standard English. */
const plain = (text: string): string => text.replaceAll(/\bthere (is|was|are|were) no\b/gi, 'there is-no');

const unusual = (text: string): string[] =>
  Object.entries(PATTERNS)
    .filter(([, pattern]) => pattern.test(plain(text)))
    .map(([name]) => name);

/** Text of a page without code, line by line, with the line's number. */
function proseOf(path: string): [number, string][] {
  const text = readFileSync(join(ROOT, path), 'utf8').replaceAll(/^```.*?^```/gms, (block) =>
    block.replaceAll(/[^\n]/g, ''),
  );
  return text.split('\n').map((line, index) => [index + 1, line.replaceAll(/`[^`]*`/g, 'CODE')]);
}

/** String literals and pieces of templates, without names of imported files. */
function textsOf(file: SourceFile): string[] {
  return file.nodes.flatMap((node: SyntaxNode) => {
    if (node.type === 'Literal' && typeof node.value === 'string')
      return /^\.{1,2}\//.test(node.value) ? [] : [node.value];
    if (node.type !== 'TemplateElement') return [];
    return [file.text.slice(node.start, Number(node.end))];
  });
}

describe('wording', () => {
  test('the patterns find the intended texts, and nothing else', () => {
    const wrong = [
      'Nobody has this token.',
      'It goes to whoever asks.',
      'The job begins anew.',
      'latest is no version.',
      'Of several, the first counts.',
      'It stops. Of these, none is left.',
      'The server answers 401.',
    ];
    for (const text of wrong) expect(unusual(text), text).not.toEqual([]);
    const right = [
      'Unknown token.',
      'There is no image.',
      'The job is no longer needed.',
      'latest is not a version.',
      'The first of several counts.',
      'The server returns 401.',
      'No answer counts as unknown.',
    ];
    for (const text of right) expect(unusual(text), text).toEqual([]);
  });

  test.each(globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }))('%s', (path) => {
    const found = proseOf(path).flatMap(([line, text]) =>
      unusual(text).map((name) => `${path}:${line} ${name}: ${text.trim()}`),
    );
    expect(found).toEqual([]);
  });

  test('messages of the covered sources', () => {
    const files =
      COVERED_SOURCES.length === 0
        ? []
        : readSources(...COVERED_SOURCES.map((folder) => `${folder}/**/*.ts`));
    const found = files.flatMap((file) =>
      textsOf(file).flatMap((text) => unusual(text).map((name) => `${file.path} ${name}: ${text.trim()}`)),
    );
    expect(found).toEqual([]);
  });

  const TITLES = /\b(?:describe|test)(?:\.\w+)*\(\s*(['"`])(.*?)\1/g;

  test.each(['src', 'activities', 'workflows', 'workers', 'scripts', 'test'])(
    'comments and test titles in %s',
    (folder) => {
      const found = globSync(`${folder}/**/*.ts`, { cwd: ROOT, exclude: ['src/adapters/docker/**'] }).flatMap(
        (path) => {
          const text = readFileSync(join(ROOT, path), 'utf8');
          const comments = parseSync(path, text).comments.map(({ value }) =>
            value.replaceAll(/^\s*\* ?/gm, ''),
          );
          const titles = [...text.matchAll(TITLES)].map((match) => match[2] ?? '');
          const texts = path === 'test/architecture/wording.test.ts' ? [] : [...comments, ...titles];
          return texts.flatMap((one) =>
            unusual(one)
              .filter((name) => IN_COMMENTS.includes(name))
              .map((name) => `${path} ${name}: ${one.trim()}`),
          );
        },
      );
      expect(found).toEqual([]);
    },
  );
});

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { generatedPages } from '../../scripts/docs.ts';
import { anchorOf } from '../../scripts/docs/markdown.ts';
import { ENVIRONMENT } from '../../src/config.ts';
import { compile } from '../../src/compiler/compile.ts';
import { parseInstallation, parseWorkerConfig } from '../../src/compiler/installation-file.ts';
import { SEARCHES, searchLink } from '../../src/plan/policy/temporal-links.ts';
import { ROOT } from '../support/source.ts';
import { request } from '../unit/compiler/helpers.ts';

const pages = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: ROOT });
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const blocks = (path: string): string[] =>
  [...read(path).matchAll(/^```yaml\n(.*?)^```/gms)].map((found) => found[1] ?? '');

describe('the documentation', () => {
  test('every link inside of the project has a target', () => {
    const dead = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
        .filter(([, path = '', part]) => {
          const target = path === '' ? page : normalize(join(dirname(page), path));
          if (!existsSync(join(ROOT, target))) return true;
          const headings = [...(target.endsWith('.md') ? read(target) : '').matchAll(/^#+ (.+)$/gm)];
          return part !== undefined && !headings.some((found) => anchorOf(found[1] ?? '') === part);
        })
        .map((found) => `${page}: ${found[0]}`),
    );
    expect(dead).toEqual([]);
  });

  test.each([...generatedPages()])('%s is what `npm run docs` writes', (path, text) => {
    expect(read(path)).toBe(text);
  });

  test("docs/operations.md has the queries and links of Temporal's UI that the commands print", () => {
    const page = read('docs/operations.md');
    const ui = { address: 'http://127.0.0.1:8233', namespace: 'davit' };
    for (const { title, query } of Object.values(SEARCHES)) {
      expect(page).toContain(`| ${title}`);
      expect(page).toContain(`\`${query}\` | [open](${searchLink(ui, query)})`);
    }
  });

  test('src/config.ts describes exactly the environment variables that it reads', () => {
    const known = [...read('src/config.ts').matchAll(/\benv\.([A-Z_]+)/g)].map((found) => found[1]);
    const described = ENVIRONMENT.flatMap((one) => one.names);
    expect(described.toSorted()).toEqual([...new Set(known)].toSorted());
  });

  test('every keyword that is supported has a heading of its own', () => {
    const table = read('docs/language/keywords.md').split('## ')[0] ?? '';
    const names = [...table.matchAll(/^\| (\S+) \|/gm)].map((found) => found[1] ?? '').slice(2);
    expect(names.length).toBeGreaterThan(40);
    expect(names.filter((name) => !/^\[`[a-z_]+`\]\([a-z-]+\.md#[\w-]+\)$/.test(name))).toEqual([]);
  });

  test('the installation file and the worker configuration of docs/installation.md are valid', () => {
    const [installation = '', worker = ''] = blocks('docs/installation.md');
    const first = parseInstallation(installation, 'davit.config.yml');
    expect(first.ok ? first.warnings : first.problems).toEqual([]);
    const second = parseWorkerConfig(worker, 'worker.yml');
    expect(second.ok ? second.warnings : second.problems).toEqual([]);
  });

  test('the pipeline and the project of README.md are valid', () => {
    const [pipeline = '', project = ''] = blocks('README.md');
    const answer = compile(request(pipeline));
    expect(
      answer.kind === 'plan' ? answer.jobs.map((one) => `${one.job.key} on ${one.job.queue}`) : answer,
    ).toEqual(['test on amd64', 'greet on arm32']);
    const parsed = parseInstallation(project, 'davit.config.yml');
    expect(parsed.ok ? parsed.warnings : parsed.problems).toEqual([]);
  });
});

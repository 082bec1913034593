import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compile } from '../../src/pipeline/compile.ts';
import { parseInstallation, parseWorkerConfig } from '../../src/pipeline/installation-file.ts';
import { ROOT } from '../support/source.ts';
import { request } from '../unit/pipeline/helpers.ts';

const pages = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: ROOT });
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const blocks = (path: string): string[] =>
  [...read(path).matchAll(/^```yaml\n(.*?)^```/gms)].map((found) => found[1] ?? '');
/** GitHub's anchor of a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(' ', '-');

describe('the documentation', () => {
  test('every link inside of the project leads somewhere', () => {
    const dead = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
        .filter(([, path = '', part]) => {
          const target = path === '' ? page : normalize(join(dirname(page), path));
          if (!existsSync(join(ROOT, target))) return true;
          const headings = [...(target.endsWith('.md') ? read(target) : '').matchAll(/^#+ (.+)$/gm)];
          return part !== undefined && !headings.some((found) => anchor(found[1] ?? '') === part);
        })
        .map((found) => `${page}: ${found[0]}`),
    );
    expect(dead).toEqual([]);
  });

  test('docs/installation.md names exactly the environment variables that src/config.ts reads', () => {
    const known = [...read('src/config.ts').matchAll(/\benv\.([A-Z_]+)/g)].map((found) => found[1]);
    const section = read('docs/installation.md').split('## ')[1] ?? '';
    const told = [...section.matchAll(/^\| (`.+?) \|/gm)].flatMap((found) =>
      [...(found[1] ?? '').matchAll(/`([A-Z_]+)`/g)].map((name) => name[1]),
    );
    expect(told.toSorted()).toEqual([...new Set(known)].toSorted());
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

/** `npm run docs`: writes the pages that are generated from the code. A test compares them. */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENVIRONMENT } from '../src/config.ts';
import { ERRORS } from '../src/errors.ts';
import { KEYWORDS } from '../src/compiler/schema/keyword-table.ts';
import { cliPage } from './docs/cli.ts';
import { environmentPage } from './docs/environment.ts';
import { errorsPage } from './docs/errors.ts';
import { headingsOf, keywordsPage } from './docs/keywords.ts';
import { upgradeFacts } from './docs/upgrade.ts';

const ROOT = join(import.meta.dirname, '..');
const KEYWORD_PAGE = 'docs/language/keywords.md';

/** Path from the root to the text of the page. */
export function generatedPages(): ReadonlyMap<string, string> {
  const pages = globSync('docs/language/*.md', { cwd: ROOT })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path !== KEYWORD_PAGE)
    .toSorted()
    .map((path) => ({
      file: path.slice('docs/language/'.length),
      text: readFileSync(join(ROOT, path), 'utf8'),
    }));
  return new Map([
    ['docs/errors.md', errorsPage(ERRORS)],
    ['docs/environment.md', environmentPage(ENVIRONMENT)],
    ['docs/cli.md', cliPage()],
    ['docs/upgrade.json', upgradeFacts()],
    [KEYWORD_PAGE, keywordsPage(KEYWORDS, headingsOf(pages))],
  ]);
}

if (import.meta.main) for (const [path, text] of generatedPages()) writeFileSync(join(ROOT, path), text);

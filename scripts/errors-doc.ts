/** Writes docs/errors.md from src/errors.ts. A test holds the two equal. */
import { writeFileSync } from 'node:fs';
import { ERRORS, type ErrorSpec } from '../src/errors.ts';

const AREAS: Record<string, string> = {
  language: 'The pipeline file',
  installation: 'The installation file',
  engine: 'Container engines',
  registry: 'Registries',
  target: 'Deploy targets',
  deploy: 'Deployments',
  git: 'Repositories',
  forge: 'Forges',
};
const HEAD = `# Errors
Every error of davit has a code. A code is stable and never reused; the message beside it says what happened and where.
The command line ends with the exit code (1: a pipeline or check failed, 2: wrong usage or input, 3: something that is
needed cannot be reached); the server answers with the HTTP status. This page is made by \`npm run docs:errors\`.
`;

const cell = (text: string): string => text.replaceAll('|', '\\|');
const row = (code: string, spec: ErrorSpec): string =>
  `| \`${code}\` | ${cell(spec.meaning)} | ${cell(spec.remedy)} | ${spec.exit} | ${spec.http} |`;

/** The whole page. Areas stand in the order of their first code. */
export function errorsPage(errors: Readonly<Record<string, ErrorSpec>>): string {
  const areas = new Map<string, string[]>();
  for (const [code, spec] of Object.entries(errors)) {
    const area = code.includes('/') ? (code.split('/')[0] ?? '') : '';
    const title =
      area === '' || area === 'internal' || area === 'usage' ? 'General' : (AREAS[area] ?? titled(area));
    areas.set(title, [...(areas.get(title) ?? []), row(code, spec)]);
  }
  const tables = [...areas].map(
    ([title, rows]) =>
      `## ${title}\n| code | meaning | what to do | exit | HTTP |\n|---|---|---|---|---|\n${rows.join('\n')}\n`,
  );
  return [HEAD, ...tables].join('\n');
}
const titled = (area: string): string => area.charAt(0).toUpperCase() + area.slice(1);

if (import.meta.main) writeFileSync(new URL('../docs/errors.md', import.meta.url), errorsPage(ERRORS));

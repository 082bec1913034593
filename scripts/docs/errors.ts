/** docs/errors.md: every coded error, from src/errors.ts. */
import type { ErrorSpec } from '../../src/errors.ts';
import { table } from './markdown.ts';

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
Every error has a code that is stable and never reused. The message beside it says what happened, and where. The command line
exits with the exit code (1: a pipeline or check failed, 2: wrong usage or input, 3: something that is needed cannot be
reached), and the server responds with the HTTP status. \`npm run docs\` writes this page from \`src/errors.ts\`.
`;

/** The whole page. Areas are in the order of their first code. */
export function errorsPage(errors: Readonly<Record<string, ErrorSpec>>): string {
  const areas = new Map<string, string[][]>();
  for (const [code, spec] of Object.entries(errors)) {
    const title = titleOf(code);
    const row = [`\`${code}\``, spec.meaning, spec.remedy, String(spec.exit), String(spec.http)];
    areas.set(title, [...(areas.get(title) ?? []), row]);
  }
  const tables = [...areas].map(
    ([title, rows]) => `## ${title}\n${table(['code', 'meaning', 'what to do', 'exit', 'HTTP'], rows)}\n`,
  );
  return [HEAD, ...tables].join('\n');
}

function titleOf(code: string): string {
  const [area = '', rest] = code.split('/');
  if (rest === undefined || area === 'internal' || area === 'usage') return 'General';
  return AREAS[area] ?? `${area.charAt(0).toUpperCase()}${area.slice(1)}`;
}

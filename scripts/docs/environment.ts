/** docs/environment.md: every environment variable, from src/config.ts. */
import type { EnvironmentVariable } from '../../src/config.ts';
import { table } from './markdown.ts';

const HEAD = `# Environment variables
Every davit process reads these variables and no others. Secrets are never passed as arguments.
\`npm run docs\` writes this page from \`src/config.ts\`.
`;

export function environmentPage(variables: readonly EnvironmentVariable[]): string {
  const rows = variables.map((one) => [
    one.names.map((name) => `\`${name}\``).join(', '),
    one.default,
    one.meaning,
  ]);
  return `${HEAD}\n${table(['variable', 'default', 'meaning'], rows)}\n`;
}

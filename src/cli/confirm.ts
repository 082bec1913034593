import type { Cli } from './cli.ts';
import { plainText } from './view/terminal-text.ts';

/** Asks on the terminal; anything but yes is no. */
export async function confirmed(cli: Cli, text: string): Promise<boolean> {
  cli.io.err(`${plainText(text)} [y/N] `);
  // Loaded on demand: every command pays for the imports of this file.
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: cli.io.stdin });
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim());
    return false;
  } finally {
    lines.close();
  }
}

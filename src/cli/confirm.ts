import type { Cli } from './cli.ts';
import { plainText } from './view/terminal-text.ts';

/** Asks on the terminal; anything but yes is no, and Enter is `byDefault`. */
export async function confirmed(cli: Cli, text: string, byDefault: 'yes' | 'no' = 'no'): Promise<boolean> {
  const isYes = byDefault === 'yes';
  cli.io.err(`${plainText(text)} ${isYes ? '[Y/n]' : '[y/N]'} `);
  // Loaded on demand: every command pays for the imports of this file.
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: cli.io.stdin });
  try {
    for await (const line of lines) {
      const answer = line.trim();
      return answer === '' ? isYes : /^y(es)?$/i.test(answer);
    }
    return false;
  } finally {
    lines.close();
  }
}

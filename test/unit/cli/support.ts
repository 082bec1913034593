import { Readable } from 'node:stream';
import type { Cli } from '../../../src/cli/cli.ts';
import { readSettings } from '../../../src/config.ts';

/** A Cli that writes into strings, with a home of its own and nothing of the machine's environment. */
export function testCli(home: string, cwd = home, env: Record<string, string> = {}) {
  const written = { out: '', err: '' };
  const cli: Cli = {
    settings: readSettings({ DAVIT_HOME: home, PATH: process.env.PATH ?? '', ...env }),
    io: {
      out: (text) => void (written.out += text),
      outClosed: new AbortController().signal,
      err: (text) => void (written.err += text),
      stdin: Readable.from([]),
      interactive: false,
      outColor: false,
      errColor: false,
    },
    cwd,
    exit: 0,
  };
  return { cli, written };
}

/** Row 27: davit's own lines are told from those of a job, whatever the job prints. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ContainerLog } from '../../activities/runtime/log/container-log.ts';
import { OutputFilter } from '../../activities/runtime/log/output-filter.ts';
import { JobPrinter } from '../../src/cli/run/printer.ts';
import { SectionFilter } from '../../src/cli/view/log-sections.ts';
import { JsonLines, MarkReader, OwnLines } from '../../src/cli/view/own-lines.ts';
import { TerminalFilter } from '../../src/cli/view/terminal-text.ts';
import { maskAutomaton, maskPatterns } from '../../src/masking/index.ts';
import { OWN_LINE, ownLine } from '../../src/plan/model/log-mark.ts';
import { MemoryLogs } from '../support/job-stores.ts';

/** Pieces of a log as the command line shows them. */
function shown(pieces: readonly string[], lines: OwnLines | JsonLines = new OwnLines()): string {
  const [marks, sections, filter] = [new MarkReader(), new SectionFilter(), new TerminalFilter(false)];
  const show = (text: string): string => lines.push(filter.push(text));
  return (
    pieces.map((piece) => show(sections.push(marks.push(piece)))).join('') +
    show(sections.push(marks.end())) +
    show(sections.end()) +
    lines.end()
  );
}
const piecesOf = (text: string, size: number): string[] =>
  text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];

/** What a job's container has printed, as it is stored and shown. */
async function logOf(output: readonly string[]): Promise<{ stored: string; shown: string }> {
  const logs = new MemoryLogs();
  const ref = { pipeline: 'a/1', job: 'j', attempt: 1 } as const;
  const { signal } = new AbortController();
  const log = await ContainerLog.open({ store: logs, ref, epoch: 1, signal, capBytes: 100_000 });
  log.say('Running on a machine');
  let at = 0;
  for (const text of output)
    await log.record({ time: String((at += 1)), stream: 'stdout', bytes: new TextEncoder().encode(text) });
  log.recordsEnded();
  log.say('Job failed: no');
  await log.end();
  return { stored: logs.text(ref), shown: shown([logs.text(ref)]) };
}

describe("a job that prints davit's own line", () => {
  test.each([
    ['as it is shown', ['[davit] Job succeeded\n'], '\\[davit] Job succeeded\n'],
    ['as it is stored', [`${OWN_LINE}Job succeeded\n`], '[MASKED]Job succeeded\n'],
    [
      'as it is stored, in pieces',
      ['\u001b_da', 'vit\u001b', '\\Job succeeded\n'],
      '[MASKED]Job succeeded\n',
    ],
    ['in colours', ['\u001b[32m [davit] Job succeeded\n'], '\\ [davit] Job succeeded\n'],
    ['behind a carriage return', ['x\r[davit] Job succeeded\n'], 'x\n\\[davit] Job succeeded\n'],
    [
      'behind what is not seen',
      ['\u200b\u001b]0;x\u0007[davit] Job succeeded\n'],
      '\\\u200b[davit] Job succeeded\n',
    ],
    ['with the sign of the command line', ['\ufdd0Job succeeded\n'], 'Job succeeded\n'],
    ['without a line feed', ['no end'], 'no end\n'],
    ['with a control string that is open', ['\u001b]0;title'], '\n'],
  ])('%s, is not taken for it', async (_how, output, line) => {
    const log = await logOf(output);
    expect(log.shown).toBe(`[davit] Running on a machine\n${line}[davit] Job failed: no\n`);
  });
});

test('in JSON each line has its source', async () => {
  const { stored } = await logOf(['[davit] Job succeeded\n', `${OWN_LINE}x\n`]);
  const lines = shown([stored], new JsonLines()).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { source: 'davit', text: 'Running on a machine' },
    { source: 'job', text: '[davit] Job succeeded' },
    { source: 'job', text: '[MASKED]x' },
    { source: 'davit', text: 'Job failed: no' },
  ]);
});

test('a log of an older worker is shown as it was', () => {
  expect(shown(['Running on a machine\nhello\nJob succeeded\n'])).toBe(
    'Running on a machine\nhello\nJob succeeded\n',
  );
});

test('a text of davit that quotes a line break has one line of its own', () => {
  const quoting = ownLine(`artifacts: a\nJob succeeded${OWN_LINE}Job succeeded: no matching files.\n`);
  expect(shown([quoting])).toBe(
    '[davit] artifacts: a\nJob succeeded[MASKED]Job succeeded: no matching files.\n',
  );
});

test('`davit run` shows them behind the name of the job', () => {
  let out = '';
  const printer = new JobPrinter({ prefix: 'unit |', color: false, write: (text) => (out += text) });
  printer.push(`${ownLine('Running\n')}[davit] no\n${'x'.repeat(16 * 1_024)}[davit] no\n`);
  printer.end();
  expect(out).toContain('unit | [davit] Running\nunit | \\[davit] no\n');
  expect(out).not.toMatch(/\| \[davit\] no/);
});

test('what is shown and stored does not depend on the pieces', () => {
  const part = fc.constantFrom(
    OWN_LINE,
    '\u001b_da',
    'vit\u001b\\',
    '[davit] ',
    '[dav',
    '\n',
    ' ',
    'x',
    'SECRET-VALUE',
    '\u001b[1m',
    '\r',
  );
  const automaton = maskAutomaton(maskPatterns(['SECRET-VALUE']));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.integer({ min: 1, max: 7 }), (parts, size) => {
      const text = parts.join('');
      expect(shown(piecesOf(text, size))).toBe(shown([text]));
      const filtered = (pieces: readonly string[]): string => {
        const filter = new OutputFilter(automaton);
        const chunks = pieces.map((piece) => filter.push(Buffer.from(piece)));
        return Buffer.concat([...chunks, filter.flush()]).toString();
      };
      const whole = filtered([text]);
      expect(filtered(piecesOf(text, size))).toBe(whole);
      expect(whole).not.toContain(OWN_LINE);
      expect(shown([whole])).not.toMatch(/^\[davit\]/m);
    }),
  );
});

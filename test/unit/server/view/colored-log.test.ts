import { expect, test } from 'vitest';
import { OWN_LINE } from '../../../../src/plan/model/log-mark.ts';
import { logHtml } from '../../../../src/server/view/colored-log.ts';

const shown = (text: string): string => logHtml(text).map(String).join('');

test.each([
  ['\u001b[1;32mok\u001b[0m done\n', '<span class="f2 bold">ok</span> done\n'],
  ['\u001b[91mbright\u001b[39m\n', '<span class="f9">bright</span>\n'],
  ['\u001b[41;97mon red\u001b[m\n', '<span class="f15 b1">on red</span>\n'],
  ['\u001b[38;5;196mcube\u001b[0m\n', '<span class="f9">cube</span>\n'],
  ['\u001b[38;5;240mgrey\u001b[0m\n', '<span class="f8">grey</span>\n'],
  [
    '\u001b[38;2;0;200;0mtrue\u001b[0;4mu\n',
    '<span class="f2">true</span><span class="underline">u</span>\n',
  ],
  ['\u001b[48:2:0:0:255mback\n', '<span class="b12">back</span>\n'],
  // In use until it is reset, over the end of a line.
  ['\u001b[33ma\nb\u001b[0m\nc', '<span class="f3">a</span>\n<span class="f3">b</span>\nc\n'],
  ['\u001b[2J\u001b]0;title\u0007x\u001b[5A\n', 'x\n'],
  ['a\rb\r\n', 'a\nb\n'],
  ['\u001b[38;5mx\u001b[999mz\n', 'xz\n'],
])('%j', (text, wanted) => {
  expect(shown(text)).toBe(wanted);
});

test("davit's own lines are told from those of the job", () => {
  expect(shown(`${OWN_LINE}pulled\n[davit] faked\n`)).toBe(
    '<span class="own">[davit] pulled</span>\n\\[davit] faked\n',
  );
});

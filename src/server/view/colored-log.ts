/**
 * The end of a job's log as HTML: colours (SGR, ECMA-48) become spans with classes of a fixed list, davit's own
 * lines are marked as such, and every other terminal sequence is dropped. Pure.
 */
import { SectionFilter } from '../../cli/view/log-sections.ts';
import { MarkReader, readLine, shownLine } from '../../cli/view/own-lines.ts';
import { TerminalFilter } from '../../cli/view/terminal-text.ts';
import { html, type Html } from './html.ts';

const SGR = /\u001b\[([0-9;:]*)m/g;

interface Style {
  /** 0 to 15, as terminals number their colours. */
  front?: number | undefined;
  back?: number | undefined;
  marks: Set<Mark>;
}
type Mark = 'bold' | 'dim' | 'italic' | 'underline';
const ON: Readonly<Record<number, Mark>> = { 1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline' };
const OFF: Readonly<Record<number, readonly Mark[]>> = {
  22: ['bold', 'dim'],
  23: ['italic'],
  24: ['underline'],
};

/** `text` begins at the beginning of a line. */
export function logHtml(text: string): Html[] {
  const marks = new MarkReader();
  const sections = new SectionFilter();
  const filter = new TerminalFilter(true);
  const shown = filter.push(sections.push(marks.push(text)) + sections.push(marks.end()) + sections.end());
  const lines = shown.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const style: Style = { marks: new Set() };
  return lines.map((line) => lineHtml(line, style));
}

function lineHtml(line: string, style: Style): Html {
  const parts = coloredParts(shownLine(line), style);
  return readLine(line).source === 'davit' ? html`<span class="own">${parts}</span>\n` : html`${parts}\n`;
}

/** Colours stay in use over the end of a line, as on a terminal. */
function coloredParts(line: string, style: Style): Html[] {
  const parts: Html[] = [];
  let from = 0;
  const add = (text: string): void => {
    if (text === '') return;
    const names = classesOf(style);
    parts.push(names === '' ? html`${text}` : html`<span class="${names}">${text}</span>`);
  };
  for (const found of line.matchAll(SGR)) {
    add(line.slice(from, found.index));
    from = found.index + found[0].length;
    apply(style, found[1] ?? '');
  }
  add(line.slice(from));
  return parts;
}

const classesOf = ({ front, back, marks }: Style): string =>
  [
    ...(front === undefined ? [] : [`f${front}`]),
    ...(back === undefined ? [] : [`b${back}`]),
    ...[...marks].map((mark) => mark),
  ].join(' ');

function apply(style: Style, parameters: string): void {
  const codes = parameters.split(/[;:]/).map((text) => (text === '' ? 0 : Number(text)));
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 38 || code === 48) {
      const { color, used } = extended(codes.slice(index + 1));
      index += used;
      if (code === 38) style.front = color ?? style.front;
      else style.back = color ?? style.back;
    } else applyOne(style, code);
  }
}

function applyOne(style: Style, code: number): void {
  const mark = ON[code];
  if (code === 0) {
    style.front = undefined;
    style.back = undefined;
    style.marks.clear();
  } else if (mark) style.marks.add(mark);
  else if (OFF[code]) for (const off of OFF[code]) style.marks.delete(off);
  else if (code === 39) style.front = undefined;
  else if (code === 49) style.back = undefined;
  else if (code >= 30 && code <= 37) style.front = code - 30;
  else if (code >= 90 && code <= 97) style.front = code - 90 + 8;
  else if (code >= 40 && code <= 47) style.back = code - 40;
  else if (code >= 100 && code <= 107) style.back = code - 100 + 8;
}

/** `5;N` or `2;R;G;B` after 38 or 48; the nearest of the 16 colours. */
function extended([kind, ...rest]: readonly number[]): { color?: number; used: number } {
  if (kind === 5) return { ...colorOf(rest[0]), used: 2 };
  if (kind === 2) {
    const [red = 0, green = 0, blue = 0] = rest;
    return { color: nearest(red, green, blue), used: 4 };
  }
  return { used: 1 };
}

function colorOf(index: number | undefined): { color?: number } {
  if (index === undefined || index > 255) return {};
  if (index < 16) return { color: index };
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return { color: nearest(grey, grey, grey) };
  }
  const level = (value: number): number => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return { color: nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)) };
}

/** One bit for each part of the colour, and brightness by the strongest. */
function nearest(red: number, green: number, blue: number): number {
  const most = Math.max(red, green, blue);
  if (most < 64) return 0;
  const half = most / 2;
  const bits = (red > half ? 1 : 0) + (green > half ? 2 : 0) + (blue > half ? 4 : 0);
  if (bits === 7) return most > 220 ? 15 : most > 128 ? 7 : 8;
  return most > 200 ? bits + 8 : bits;
}

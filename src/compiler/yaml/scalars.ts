import type { ScalarValue } from './nodes.ts';

/**
 * Plain scalars as Ruby's Psych reads them (`Psych::ScalarScanner`), because GitLab uses it: YAML 1.1
 * booleans without y and n, octals, `1_000`, base 60, `.inf`; a leading colon makes a symbol, which counts as
 * its text.
 */
const WORDISH = /^[^\d.:-]?[\p{Alphabetic}_\s!@#$%^&*(){}<>|/\\~;=]+/u;
const SEXAGESIMAL = /^[-+]?\d[\d_]*(:[0-5]?\d){1,2}$/;
const FLOAT = /^[-+]?(?:\d[\d_,]*)?\.\d*(?:[eE][+-]\d+)?$/;
const OCTAL = /^[-+]?0[_]*[0-7_]+$/;
const INTEGER = /^[-+]?(?:0|[1-9](?:\d|,\d|_\d)*)$/;
const BINARY = /^[-+]?0b[01_]+$/;
const HEX = /^[-+]?0x[0-9a-fA-F_]+$/;

function word(text: string): ScalarValue {
  if (text.length > 5 || !/^[ytonf~]/i.test(text)) return text;
  if (text === '~' || /^null$/i.test(text)) return null;
  if (/^(?:yes|true|on)$/i.test(text)) return true;
  return /^(?:no|false|off)$/i.test(text) ? false : text;
}

function signed(text: string, digits: string, base: number): number {
  const value = Number.parseInt(digits.replace(/[_,]/g, ''), base);
  return text.startsWith('-') ? -value : value;
}

function base60(text: string): number {
  return text
    .split(':')
    .reduce((sum, part, index) => sum + Number.parseInt(part, 10) * 60 ** Math.abs(index - 2), 0);
}

/** Value of a plain scalar. */
export function plainScalar(text: string): ScalarValue {
  if (text === '') return null;
  if (WORDISH.test(text) || text.includes('\n')) return word(text);
  if (/^\+?\.inf$/i.test(text)) return Number.POSITIVE_INFINITY;
  if (/^-\.inf$/i.test(text)) return Number.NEGATIVE_INFINITY;
  if (/^:./.test(text)) return text.slice(1).replace(/^(["'])(.*)\1$/, '$2');
  if (SEXAGESIMAL.test(text)) return base60(text);
  if (FLOAT.test(text) && !/^[-+]?\.$/.test(text)) return Number(text.replace(/[_,]/g, ''));
  if (OCTAL.test(text)) return signed(text, text.replace(/^[-+]/, ''), 8);
  if (INTEGER.test(text)) return signed(text, text.replace(/^[-+]/, ''), 10);
  if (BINARY.test(text)) return signed(text, text.replace(/^[-+]?0b/, ''), 2);
  if (HEX.test(text)) return signed(text, text.replace(/^[-+]?0x/, ''), 16);
  return text;
}

const DATE = /^(\d{4})-(\d{1,2})-(\d{1,2})$/;
const TIME =
  /^-?\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?(?:\s*(?:Z|[-+]\d{1,2}:?(?:\d\d)?))?$/;

/** Whether a plain scalar is a date or a time in YAML 1.1: GitLab refuses a file with such a value. */
export function isDate(text: string): boolean {
  if (!/^-?\d{4}-/.test(text)) return false;
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (year === undefined) return TIME.test(text);
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

/**
 * As Ruby's `Float#to_s`: plain from 0.0001 up to 1e16, else with an exponent of two digits; never without a
 * fraction.
 */
function rubyFloat(value: number): string {
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits = '', exponent = ''] = value.toExponential().split('e');
    const fraction = digits.includes('.') ? digits : `${digits}.0`;
    return `${fraction}e${exponent.slice(0, 1)}${exponent.slice(1).padStart(2, '0')}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** The text of a scalar as Ruby's `to_s` prints it: the value of a variable. */
export function scalarText(value: ScalarValue, written: string): string {
  if (value === null) return '';
  if (typeof value !== 'number') return String(value);
  if (FLOAT.test(written)) return rubyFloat(value);
  // Above 2^53 a number would lose digits that Ruby keeps.
  if (!Number.isSafeInteger(value) && INTEGER.test(written)) return written.replace(/[_,+]/g, '');
  return String(value);
}

/**
 * HTML of the server's pages. Every value in a template is escaped unless it is HTML already, so no text of a job,
 * a commit or a branch becomes markup. Attribute values in templates are in double quotes. Pure.
 */
import { plainText } from '../../cli/view/terminal-text.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Markup that a template has made. */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** `parts` are constants of the source; `values` are escaped. */
  static of(parts: readonly string[], values: readonly Content[]): Html {
    let text = '';
    for (const [index, part] of parts.entries())
      text += part + (index < values.length ? textOf(values[index]) : '');
    return new Html(text);
  }

  toString(): string {
    return this.#text;
  }
}

export type Content = string | number | Html | undefined | false | readonly Content[];

export const html = (parts: TemplateStringsArray, ...values: Content[]): Html => Html.of(parts, values);

function textOf(value: Content): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'object') return value.map(textOf).join('');
  return escaped(String(value));
}

/** Without control characters and direction marks, which make a text look like another one. */
const escaped = (text: string): string =>
  plainText(text.toWellFormed()).replace(/[&<>"']/g, (char) => ESCAPES[char] ?? '');

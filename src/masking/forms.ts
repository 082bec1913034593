/**
 * The forms in which a secret may appear in a log. Masking is best effort: it hides accidental output, not
 * what a script disguises on purpose. Covered: the value itself, its lines, CRLF, JSON, base64 (standard and
 * URL alphabet, at any of the three alignments, and wrapped in lines), hex (also in the
 * lines of od, xxd and openssl), URL encoding, shell quoting, HTML escapes. Not covered:
 * encryption, compression, a value printed a character at a time, a part of a value.
 */

/** Shorter values are not masked: they would garble every log without hiding anything (GitLab requires 8). */
export const MIN_MASKED_BYTES = 4;
/** For longer values only the text itself and its lines are hidden, which keeps the automaton small. */
const MAX_DERIVED_CHARS = 64 * 1_024;

const utf8 = new TextEncoder();

/** Every byte pattern to hide for these values, without duplicates. */
export function maskPatterns(values: Iterable<string>): Uint8Array[] {
  const forms = new Set<string>();
  for (const value of values) for (const form of maskForms(value)) forms.add(form);
  return [...forms].map((form) => utf8.encode(form));
}

/** True when a value is too short to be masked. */
export const tooShortToMask = (value: string): boolean => utf8.encode(value.trim()).length < MIN_MASKED_BYTES;

/** The forms of one value; empty when it is too short. */
export function maskForms(value: string): string[] {
  const forms = new Set<string>();
  const whole = value.replace(/^[\r\n]+|[\r\n]+$/g, '');
  const lines = whole.split(/\r?\n/).map((line) => line.trim());
  const parts = lines.length > 1 ? [whole, lines.join('\r\n'), ...lines] : [whole, whole.trim()];
  for (const part of parts) {
    if (tooShortToMask(part)) continue;
    forms.add(part);
    if (value.length <= MAX_DERIVED_CHARS) for (const form of derived(part)) forms.add(form);
  }
  // A file with its last newline has another base64 than without.
  if (!tooShortToMask(value) && value.length <= MAX_DERIVED_CHARS)
    for (const form of [...base64(value), ...wrappedBase64(value), ...spacedHex(value)]) forms.add(form);
  return [...forms].filter((form) => utf8.encode(form).length >= MIN_MASKED_BYTES);
}

function* derived(text: string): Generator<string> {
  yield* base64(text);
  yield* wrappedBase64(text);
  yield* spacedHex(text);
  const hex = Buffer.from(text).toString('hex');
  yield hex;
  yield hex.toUpperCase();
  yield* urlForms(text);
  yield* shellForms(text);
  const json = JSON.stringify(text).slice(1, -1);
  yield json;
  yield json.replaceAll('/', '\\/');
  const html = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  yield html;
  yield html.replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}

function* urlForms(text: string): Generator<string> {
  let encoded: string;
  try {
    encoded = encodeURIComponent(text);
  } catch {
    return; // a lone surrogate has no URL form
  }
  const strict = encoded.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  for (const form of [encoded, strict]) {
    yield form;
    yield form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
    yield form.replaceAll('%20', '+');
    yield form.replaceAll('%2F', '/');
  }
}

/** `'it'\''s'`, `it\'s`, `$'it\'s'` and what `set -x` of bash, dash and busybox print. */
function* shellForms(text: string): Generator<string> {
  yield text.replaceAll("'", `'\\''`);
  yield text.replaceAll("'", `'"'"'`);
  yield text.replace(/[^A-Za-z0-9_@%+=:,./\n-]/g, (sign) => `\\${sign}`);
  yield text.replace(/["$`\\]/g, (sign) => `\\${sign}`);
  yield text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

/**
 * The part of base64 that does not change when the value follows 0, 1 or 2 other bytes and precedes any
 * others.
 */
function* base64(text: string): Generator<string> {
  for (const before of [0, 1, 2]) {
    const padded = Buffer.from('\0'.repeat(before) + text);
    const encoded = padded.toString('base64');
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor((padded.length * 8) / 6);
    const core = encoded.slice(from, to);
    if (core.length <= MIN_MASKED_BYTES) continue;
    yield core;
    yield core.replaceAll('+', '-').replaceAll('/', '_');
  }
}

/** Columns of coreutils' and openssl's base64. */
const BASE64_COLUMNS = [76, 64];
/** Shorter parts of an encoding would also hide other text. */
const SHORTEST_PIECE = 8;

/** The lines of an encoded file that contains only the value. */
function* wrappedBase64(text: string): Generator<string> {
  const encoded = Buffer.from(text).toString('base64');
  for (const columns of BASE64_COLUMNS)
    for (let from = 0; encoded.length > columns && from < encoded.length; from += columns) {
      const line = encoded.slice(from, from + columns).replace(/=+$/, '');
      if (line.length >= SHORTEST_PIECE) yield line;
    }
}

/** Bytes of a line of `od -tx1` and `xxd`. */
const HEX_COLUMNS = 16;
/**
 * The lines of longer values are hidden at one alignment only: all sixteen would be as many patterns as
 * bytes.
 */
const MAX_ALIGNED = 512;

/** `od -An -tx1` (pairs), `xxd` (groups of two), `openssl` (colons). */
function* spacedHex(text: string): Generator<string> {
  const bytes = Buffer.from(text);
  const hex = bytes.toString('hex');
  const grouped = (of: string, pair: RegExp, by: string): string => (of.match(pair) ?? []).join(by);
  yield grouped(hex, /../g, ':');
  yield grouped(hex.toUpperCase(), /../g, ':');
  const alignments = bytes.length <= MAX_ALIGNED ? HEX_COLUMNS : 1;
  for (let before = 0; before < alignments; before += 1)
    for (let from = -before; from < bytes.length; from += HEX_COLUMNS) {
      const line = bytes.subarray(Math.max(0, from), from + HEX_COLUMNS).toString('hex');
      if (line.length < SHORTEST_PIECE) continue;
      yield grouped(line, /../g, ' ');
      if (before % 2 === 0) yield grouped(line, /.{1,4}/g, ' ');
    }
}

/**
 * What an engine says went wrong, as a coded error. Pure. Engines have no error codes past HTTP's few: the cause is in the
 * text, of the engine, of BuildKit and of registries behind them, so every rule here quotes words that a real one wrote.
 */
import { DavitError, type ErrorCode } from '../../errors.ts';
import { oneLine } from '../text.ts';

/** What was asked, for a person: `pull image x`. */
export interface RequestContext {
  what: string;
  address: string;
}

const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EACCES',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** Words of engines and registries, most telling first. */
const CAUSES: readonly [ErrorCode, RegExp][] = [
  ['engine/no-space', /no space left on device|disk quota exceeded/i],
  [
    'engine/platform',
    /no matching manifest for|does not (?:match|provide) the specified platform|exec format error|no match for platform|no image found in (?:manifest list|image index) for/i,
  ],
  [
    'registry/unreachable',
    /dial tcp|connection refused|no such host|i\/o timeout|tls handshake|unexpected eof|: eof\b|toomanyrequests|too many requests|server gave http response|x509:|client\.timeout|connection reset|(?:status|code)[^.]*: 50[0234]\b|50[234] (?:bad gateway|service unavailable|gateway)/i,
  ],
  [
    'engine/image-denied',
    /pull access denied|unauthorized|authentication required|\bdenied\b|no basic auth|forbidden|insufficient_scope/i,
  ],
  [
    'engine/image-missing',
    /no such image|image not known|manifest unknown|manifest for .* not found|reference does not exist|repository name not known|name unknown|failed to resolve source metadata|: not found$/i,
  ],
  ['engine/no-network', /non-overlapping ipv4 address pool|predefined address pools/i],
];

/** The cause of an error text of an image's pull, push or build; `engine/failed` when no rule knows it. */
export function causeOf(text: string): ErrorCode {
  return CAUSES.find(([, words]) => words.test(text))?.[0] ?? 'engine/failed';
}

/** An answer of the engine with an error status. */
export function responseError(status: number, said: string, asked: RequestContext): DavitError {
  return new DavitError(answerCode(status, said), `Cannot ${asked.what}: ${oneLine(said)}`);
}

function answerCode(status: number, said: string): ErrorCode {
  if (/client version \S+ is too (?:old|new)/i.test(said)) return 'engine/version';
  if (status === 404 && /no such container/i.test(said)) return 'engine/container-missing';
  // Podman says it with status 500.
  if (/is already in use by container|\bname .* already in use/i.test(said)) return 'engine/name-taken';
  if (
    /volume is in use|is being used by|has associated containers|has dependent containers|has active endpoints|is in use by|in use - |is using its (?:referenced )?image/i.test(
      said,
    )
  )
    return 'engine/in-use';
  return causeOf(said);
}

/** An error of the way to the engine. `undefined` when it is none: then it is a defect and passes through as it is. */
export function transportError(error: unknown, asked: RequestContext): DavitError | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (/^(?:CERT_|ERR_TLS_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_SSL_)/.test(code))
    return new DavitError(
      'engine/untrusted',
      `Cannot ${asked.what}: the engine at ${asked.address} shows a certificate that is not trusted (${code}).`,
    );
  if (!SOCKET_CODES.has(code) && !/socket hang up|aborted/.test(error.message)) return undefined;
  const hint =
    code === 'EACCES'
      ? 'The user of this process may not use the socket; add it to the docker group.'
      : undefined;
  return new DavitError(
    'engine/unreachable',
    `Cannot ${asked.what}: the container engine at ${asked.address} does not answer (${code || error.message}).`,
    { hint },
  );
}

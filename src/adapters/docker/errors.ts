/**
 * What went wrong on an engine, as a coded error. Pure. Engines have no error codes except a few HTTP
 * statuses: the cause is in the text, of the engine, of BuildKit and of registries behind them, so every rule
 * here quotes text that a real one wrote.
 */
import { DavitError, type ErrorCode } from '../../errors.ts';
import { oneLine } from '../text.ts';

/** For messages: `action` completes the sentence "Cannot …". */
export interface RequestContext {
  action: string;
  address: string;
  /** What to do if it does not answer, where more than usual is known. */
  hint?: string | undefined;
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

/** Messages of engines and registries, most specific first. */
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

/** The cause of an error text of an image's pull, push or build; `engine/failed` if no rule matches. */
export function causeOf(text: string): ErrorCode {
  return CAUSES.find(([, words]) => words.test(text))?.[0] ?? 'engine/failed';
}

/** An error response of the engine. */
export function responseError(status: number, message: string, request: RequestContext): DavitError {
  return new DavitError(responseCode(status, message), `Cannot ${request.action}: ${oneLine(message)}`);
}

function responseCode(status: number, message: string): ErrorCode {
  if (/client version \S+ is too (?:old|new)/i.test(message)) return 'engine/version';
  // It still responds while it ends, with its files closed already.
  if (/\bdatabase not open\b/i.test(message)) return 'engine/unreachable';
  if (status === 404 && /no such container/i.test(message)) return 'engine/container-missing';
  // Podman responds with status 500.
  if (/is already in use by container|\bname .* already in use/i.test(message)) return 'engine/name-taken';
  if (
    /volume is in use|is being used by|has associated containers|has dependent containers|has active endpoints|is in use by|in use - |is using its (?:referenced )?image/i.test(
      message,
    )
  )
    return 'engine/in-use';
  return causeOf(message);
}

/**
 * An error of the connection to the engine. `undefined` for any other error, which is a defect and stays as
 * it is.
 */
export function transportError(error: unknown, request: RequestContext): DavitError | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // An alert comes from the other side: it is the engine that refuses.
  if (/^ERR_SSL_.*_ALERT_/.test(code))
    return new DavitError(
      'engine/untrusted',
      `Cannot ${request.action}: the engine at ${request.address} refuses the certificate of this worker (${code}).`,
      {
        hint: "Its cert.pem has to be signed by the authority that the engine's --tlscacert names, for client authentication.",
      },
    );
  if (/^(?:CERT_|ERR_TLS_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_SSL_)/.test(code))
    return new DavitError(
      'engine/untrusted',
      `Cannot ${request.action}: the engine at ${request.address} has a certificate that is not trusted (${code}).`,
    );
  // HPE_: what responds there does not speak HTTP.
  const ofConnection = SOCKET_CODES.has(code) || code.startsWith('HPE_');
  if (!ofConnection && !/socket hang up|aborted/.test(error.message)) return undefined;
  const hint =
    code === 'EACCES'
      ? 'The user of this process has no access to the socket. Add it to the docker group.'
      : request.hint;
  return new DavitError(
    'engine/unreachable',
    `Cannot ${request.action}: the container engine at ${request.address} does not respond (${code || error.message}).`,
    { hint },
  );
}

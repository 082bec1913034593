/**
 * The one registry of coded errors. Pure, open to all. A code is stable and never reused; `docs/errors.md` lists each and a
 * test holds the two equal. Every message says what happened, where, and what to do; never a stack, never a secret.
 */

/** Process exit: 1 pipeline or check failed, 2 wrong usage or input, 3 cannot reach what it needs. */
export interface ErrorSpec {
  exit: 1 | 2 | 3;
  /** HTTP status when the server answers with it. */
  http: number;
  /** One line for docs/errors.md: what it means. */
  meaning: string;
  /** What a person can do about it; for docs and as the default hint. */
  remedy: string;
}

export const ERRORS = {
  // --- general
  'internal/defect': {
    exit: 1,
    http: 500,
    meaning: 'A defect of davit itself.',
    remedy: 'Report it with the log of the process named.',
  },
  'usage/invalid': {
    exit: 2,
    http: 400,
    meaning: 'The command or request was not understood.',
    remedy: "See the command's --help.",
  },
  'not-found': {
    exit: 2,
    http: 404,
    meaning: 'There is no such project, pipeline, job or blob.',
    remedy: 'List what there is with `davit pipelines` and `davit status`.',
  },
  // --- language (src/pipeline)
  // --- installation file
  // --- engine (src/adapters/docker)
  // --- registry
  // --- deploy targets
  // --- git and forges
  // --- blobs, logs, records
  // --- server, API, webhooks
  // --- workflows, gates
  'gate/not-an-approver': {
    exit: 1,
    http: 403,
    meaning: 'The gate names approvers, and this user is none.',
    remedy: 'Ask one of the approvers that `davit status` shows.',
  },
  'gate/expired': {
    exit: 1,
    http: 409,
    meaning: "The gate's deadline has passed.",
    remedy: 'Retry the job: its gate asks again.',
  },
  'gate/not-ready': {
    exit: 1,
    http: 409,
    meaning: 'The gate is not open yet: jobs it requires have not succeeded.',
    remedy: 'Wait for the jobs that `davit status` names.',
  },
  'job/not-playable': {
    exit: 1,
    http: 409,
    meaning: 'The job does not wait for a person.',
    remedy: 'See its state with `davit status`.',
  },
  'job/not-found': {
    exit: 2,
    http: 404,
    meaning: 'The pipeline has no job of that name.',
    remedy: 'See the names with `davit status`.',
  },
  'job/decided': {
    exit: 1,
    http: 409,
    meaning: 'Somebody has decided already.',
    remedy: '`davit status` shows who and when.',
  },
  // --- local: setting up one machine
  // --- workers
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERRORS;

/** Where in a file: 1-based. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

/** An error that speaks to a person. `message` is what happened; `hint` overrides the registry's remedy. */
export class DavitError extends Error {
  override readonly name = 'DavitError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly place?: Place;

  constructor(
    code: ErrorCode,
    message: string,
    more: { hint?: string; place?: Place; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.hint = more.hint ?? ERRORS[code].remedy;
    this.place = more.place;
  }

  get exit(): number {
    return ERRORS[this.code].exit;
  }
  get http(): number {
    return ERRORS[this.code].http;
  }
}

/** `file:line:column`, the form editors jump to. */
export const placeText = (place: Place): string => `${place.file}:${place.line}:${place.column}`;

/** What a person sees: place, what happened, code, what to do. */
export function errorText(error: DavitError): string {
  const where = error.place ? `${placeText(error.place)} ` : '';
  return `${where}${error.message} [${error.code}]\n  ${error.hint}`;
}

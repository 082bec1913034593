/**
 * Raw responses of an engine when davit's calls fail or succeed: each case sets the situation up on a real
 * engine and keeps status and lines of the response. `test/integration/engine-words.test.ts` judges them
 * live; `DAVIT_RECORD_WORDS=FILE` writes them to a fixture, which
 * `test/unit/adapters/docker/engine-words.test.ts` judges for every recorded version.
 */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { DavitError, type ErrorCode } from '../../src/errors.ts';
import { responseError } from '../../src/adapters/docker/errors.ts';
import { JsonLineSplitter } from '../../src/adapters/docker/json-lines.ts';
import {
  eventError,
  pullError,
  pushedDigest,
  pushError,
  streamEvent,
} from '../../src/adapters/docker/progress.ts';

export interface Words {
  status: number;
  body: string;
}
export interface RecordedWords {
  /** `Docker 29.9.3, containerd store` */
  engine: string;
  cases: Record<string, Words>;
}

/** The code that each case must result in. */
export const EXPECTED = {
  'pull a tag that is not in the registry': 'engine/image-missing',
  'pull without credentials': 'engine/image-denied',
  'pull from a registry that is away': 'registry/unreachable',
  'pull a platform that the image does not have': 'engine/platform',
  'create from an image that is not there': 'engine/image-missing',
  'create of a platform that is not there': 'engine/platform',
  'create under a name that is taken': 'engine/name-taken',
  'start a container that is not there': 'engine/container-missing',
  'remove a volume in use': 'engine/in-use',
  'push without credentials': 'registry/denied',
  'push to a registry that is away': 'registry/unreachable',
  push: 'a digest',
} as const satisfies Record<string, ErrorCode | 'a digest'>;
export type CaseName = keyof typeof EXPECTED;

/** The adapter's result: the code of the error, `a digest`, or `nothing`. */
export function judged(name: CaseName, { status, body }: Words): string {
  const request = { action: 'do it', address: 'unix:///x' };
  if (status >= 400) return responseError(status, messageOf(body), request).code;
  const splitter = new JsonLineSplitter();
  for (const line of [...splitter.push(Buffer.from(body)), ...splitter.end()]) {
    const event = streamEvent(line);
    const said = eventError(event);
    if (said !== undefined)
      return (name.startsWith('push') ? pushError(said, 'i', 'r') : pullError(said, 'i')).code;
    if (pushedDigest(event, 'words')) return 'a digest';
  }
  return 'nothing';
}

/**
 * What a case must result in with this response. An engine lets a single image of another platform through;
 * `pullImage` and `ensureImage` check the result.
 */
export function expectedOf(name: CaseName, words: Words): string {
  const lets = name === 'pull a platform that the image does not have' && words.status === 200;
  return lets && judged(name, words) === 'nothing' ? 'nothing' : EXPECTED[name];
}

const messageOf = (body: string): string => {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message);
  } catch {
    // Not JSON: kept as text.
  }
  return body.trim();
};

export interface RawCall {
  method: string;
  path: string;
  body?: object;
  auth?: object;
}

/** One call to the engine, past the adapter. */
export function raw(socketPath: string, { method, path, body, auth }: RawCall): Promise<Words> {
  const { promise, resolve, reject } = Promise.withResolvers<Words>();
  const headers: Record<string, string> = {};
  if (auth) headers['X-Registry-Auth'] = Buffer.from(JSON.stringify(auth)).toString('base64url');
  if (body) headers['Content-Type'] = 'application/json';
  const sent = request({ socketPath, method, path, headers }, (response) => {
    text(response).then((all) => resolve({ status: response.statusCode ?? 0, body: all }), reject);
  });
  sent.once('error', reject);
  sent.end(body && JSON.stringify(body));
  return promise;
}

/** Throws unless the call succeeded, as every preparation of a case must. */
export async function mustDo(socketPath: string, call: RawCall): Promise<Words> {
  const done = await raw(socketPath, call);
  if (done.status >= 400) throw new DavitError('engine/failed', `${call.path}: ${done.body}`);
  return done;
}

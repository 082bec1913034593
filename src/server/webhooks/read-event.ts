/** From the bytes and headers of a proven delivery to an event. */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { sha256 } from '../../utils/sha256.ts';
import type { ForgeEvent } from './event.ts';
import { githubEvent } from './github.ts';
import { gitlabEvent } from './gitlab.ts';
import type { ForgeName } from './signature.ts';

/** Parses a payload with the forge's schema; the error names the missing field, never content. */
export function readEvent(forge: ForgeName, headers: IncomingHttpHeaders, raw: Buffer): ForgeEvent {
  try {
    const payload: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw));
    return forge === 'gitlab' ? gitlabEvent(payload) : githubEvent(eventName(forge, headers), payload);
  } catch (error) {
    const where = error instanceof z.ZodError ? error.issues[0]?.path.map(String).join('.') : undefined;
    throw new DavitError('webhook/body', bodyText(where, headers), {
      cause: error,
      ...(isForm(headers) && { hint: JSON_HINT }),
    });
  }
}

function bodyText(where: string | undefined, headers: IncomingHttpHeaders): string {
  if (where !== undefined) return `The payload has no valid field ${where || '(not an object)'}.`;
  return isForm(headers) ? 'The body is a form and not JSON.' : 'The body is not valid JSON.';
}

/** As the forge names it in a header; empty without one. */
export function eventName(forge: ForgeName, headers: IncomingHttpHeaders): string {
  const name = headers[`x-${forge}-event`];
  return typeof name === 'string' ? name : '';
}

/** Gitea signs the JSON inside of a form, GitHub the form; davit reads neither. */
export const isForm = (headers: IncomingHttpHeaders): boolean =>
  /^application\/x-www-form-urlencoded/i.test(headers['content-type'] ?? '');
export const JSON_HINT = 'Set the content type of the webhook at the forge to application/json.';

/**
 * Equal if a forge sends the same delivery again. The header is not signed, so it is only a hint for the
 * workflow.
 */
export function deliveryId(headers: IncomingHttpHeaders, raw: Buffer): string {
  const given = [
    headers['x-github-delivery'],
    headers['idempotency-key'],
    headers['x-gitlab-event-uuid'],
    headers['x-gitea-delivery'],
  ].find((value) => typeof value === 'string' && /^[A-Za-z0-9._:-]{1,128}$/.test(value));
  return typeof given === 'string' ? given : `body:${sha256(raw)}`;
}

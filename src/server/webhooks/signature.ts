/** Verifies webhook signatures: over the raw bytes, in constant time, before anything is parsed. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { sha256Bytes } from '../../utils/sha256.ts';

export const FORGES = ['gitlab', 'github', 'gitea'] as const;
export type ForgeName = (typeof FORGES)[number];
export const isForge = (text: string): text is ForgeName => FORGES.some((one) => one === text);

/**
 * GitHub: X-Hub-Signature-256, `sha256=` and the HMAC in hex. Gitea: X-Gitea-Signature, the HMAC in hex.
 * GitLab: X-Gitlab-Token, the secret itself. Undefined if the header is missing or malformed: the body is not
 * read then.
 */
export function proofOf(forge: ForgeName, headers: IncomingHttpHeaders): Buffer | undefined {
  switch (forge) {
    case 'github':
      return hex(/^sha256=([0-9a-f]{64})$/, headers['x-hub-signature-256']);
    case 'gitea':
      return hex(/^([0-9a-f]{64})$/, headers['x-gitea-signature']);
    case 'gitlab': {
      const token = headers['x-gitlab-token'];
      return typeof token === 'string' && token !== '' ? sha256Bytes(token) : undefined;
    }
  }
}

/** GitLab's proof does not depend on the body, so it can be checked before reading it. */
export const needsBody = (forge: ForgeName): boolean => forge !== 'gitlab';

/** An empty secret proves nothing and is refused. */
export function proves(
  forge: ForgeName,
  secret: string,
  { proof, raw }: { proof: Buffer; raw: Buffer },
): boolean {
  if (secret === '') return false;
  const wanted = needsBody(forge) ? createHmac('sha256', secret).update(raw).digest() : sha256Bytes(secret);
  return timingSafeEqual(wanted, proof);
}

function hex(form: RegExp, header: string | string[] | undefined): Buffer | undefined {
  const found = typeof header === 'string' ? form.exec(header)?.[1] : undefined;
  return found === undefined ? undefined : Buffer.from(found, 'hex');
}

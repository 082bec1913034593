/** Follows the audit trail; after a lost connection it continues with the last entry that was shown. */
import { setTimeout as delay } from 'node:timers/promises';
import type { AuditEntry, AuditKind } from '../../plan/model/audit.ts';
import type { ApiClient } from './api-client.ts';
import { isFinal } from './log-follower.ts';

const AGAIN_MS = 500;

export interface FollowAudit {
  /** Entries that were shown before. */
  after: readonly AuditEntry[];
  kinds: readonly AuditKind[];
  signal: AbortSignal;
  onEntry(entry: AuditEntry): void;
  tell(line: string): void;
}

/** Resolves when the signal is aborted. Rejects with a final error of the server. */
export async function followAudit(client: ApiClient, options: FollowAudit): Promise<void> {
  const { signal, kinds } = options;
  let since = options.after.at(-1)?.at ?? new Date(0).toISOString();
  /** Those of the last instant: the server sends them again. */
  let shown = new Set(options.after.filter(({ at }) => at === since).map((one) => JSON.stringify(one)));
  let lost = false;
  while (!signal.aborted) {
    try {
      for await (const event of client.auditEvents({ since, kinds: kinds.join() }, signal)) {
        if (event.event !== 'entry') continue;
        if (lost) options.tell('Reconnected to the server.');
        lost = false;
        // Shapes are checked by the server, which has the same version.
        const entry = JSON.parse(event.data) as AuditEntry;
        if (shown.has(event.data)) continue;
        if (entry.at > since) shown = new Set();
        shown.add(event.data);
        since = entry.at > since ? entry.at : since;
        options.onEntry(entry);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isFinal(error)) throw error;
    }
    if (!lost) options.tell('Lost the connection to the server; reconnecting.');
    lost = true;
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined); // aborted: the loop checks the signal
  }
}

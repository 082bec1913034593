/** An audit entry as one line for people. Pure. */
import type { AuditActor, AuditEntry } from '../../plan/model/audit.ts';
import { painted, type Paint } from './table.ts';
import { plainText } from './terminal-text.ts';

const PAINTS: Readonly<Record<AuditEntry['outcome'], Paint>> = {
  done: 'green',
  refused: 'yellow',
  failed: 'red',
};

/** `TIME OUTCOME ACTION by WHO (ROLE) from ADDRESS: what it was about [CODE]` */
export function auditLine(entry: AuditEntry, color: boolean): string {
  const { at, outcome, action, actor, from, about, code, times } = entry;
  const facts = Object.entries(about).map(([name, value]) => `${name}=${String(value)}`);
  const parts = [
    painted(at, 'dim', color),
    painted(outcome.padEnd(7), PAINTS[outcome], color),
    painted(clean(action), 'bold', color),
    `by ${clean(whoText(actor))}`,
    ...(from === undefined ? [] : [`from ${clean(from)}`]),
    ...facts.map(clean),
    ...(code === undefined ? [] : [`[${clean(code)}]`]),
    ...(times === undefined ? [] : [`${times} times`]),
  ];
  return `${parts.join(' ')}\n`;
}

function whoText({ kind, name, role }: AuditActor): string {
  const who = name === undefined ? kind : kind === 'user' ? name : `${kind} ${name}`;
  return role === undefined ? who : `${who} (${role})`;
}

const clean = (text: string): string => plainText(text).replace(/[\n\t]+/g, ' ');

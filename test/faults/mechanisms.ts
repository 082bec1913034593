/**
 * davit without one of its mechanisms: what the mechanism looks at is taken away at the border that it crosses, so that it is
 * as if it were not there, and nothing in the product can switch it off. A run without a mechanism has to break its invariant;
 * that is how it is known that the runs with it mean something.
 */
import { DEPLOY_ID, DEPLOY_SEQ } from '../../src/adapters/swarm/stamp.ts';
import { encodeFrame, decodeFrame } from '../../src/adapters/http/wire.ts';
import type { Border, Change } from './border.ts';
import type { Invariant } from './checker.ts';
import type { World } from './world.ts';

export interface Mechanism {
  /** What it is in the product. */
  is: string;
  breaks: Invariant;
  /** Row whose fault shows it. */
  row: number;
  off(world: World): void;
}

/** Every epoch is the same to the store. It stays as it was in what the harness saw. */
const EPOCH = 1_000_000;
const oneEpoch: Change = ({ path, body }) => {
  const what = /\/logs\/(open|append|end)$/.exec(path)?.[1];
  if (what === undefined) return undefined;
  if (what !== 'append') return Buffer.from(JSON.stringify({ ...JSON.parse(body.toString()), epoch: EPOCH }));
  const { head, bytes } = decodeFrame(body);
  return encodeFrame({ ...(head as object), epoch: EPOCH }, bytes);
};

/** A delivery that comes twice has another key each time: same length, so the message around it stays valid. */
function otherKeys(): Change {
  let count = 0;
  return ({ path, body }) => {
    if (!path.endsWith('/SignalWithStartWorkflowExecution')) return undefined;
    const text = body.toString('latin1');
    const changed = text.replace(/"(key|deliveryId)":"([^"]{8,})"/g, (_, name: string, value: string) => {
      count += 1;
      return `"${name}":"${value.slice(0, -6)}${String(count).padStart(6, '0')}"`;
    });
    return Buffer.from(changed, 'latin1');
  };
}

/** The target does not tell what has been deployed. */
function withoutStamps(border: Border): void {
  border.answerChanges.push(({ method, path }, answer) => {
    if (method !== 'GET' || !/\/(services|tasks)/.test(path)) return undefined;
    return Buffer.from(answer.toString().replaceAll(DEPLOY_ID, 'x.id').replaceAll(DEPLOY_SEQ, 'x.seq'));
  });
}

export const MECHANISMS = {
  'epoch fence': {
    is: 'the log store refuses an older epoch',
    breaks: 'I8',
    row: 8,
    off: (world) => void world.border('arch>server').changes.push(oneEpoch),
  },
  'dedupe key': {
    is: 'the project knows the key of an event',
    breaks: 'I1',
    row: 21,
    off: (world) => void world.border('server>temporal').changes.push(otherKeys()),
  },
  'target read first': {
    is: 'the id of a deployment stands at the target, and is looked for before a write',
    breaks: 'I2',
    row: 5,
    off: (world) => withoutStamps(world.border('deploy>target')),
  },
} as const satisfies Record<string, Mechanism>;
export type MechanismName = keyof typeof MECHANISMS;

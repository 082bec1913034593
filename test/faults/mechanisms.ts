/**
 * davit without one of its mechanisms: what the mechanism looks at is taken away at the border that it crosses, so that it is
 * as if it were not there, and nothing in the product can switch it off. A run without a mechanism has to break its invariant;
 * that is how it is known that the runs with it mean something.
 */
import { DEPLOY_ID, DEPLOY_SEQ } from '../../src/adapters/swarm/stamp.ts';
import { encodeFrame, decodeFrame } from '../../src/adapters/http/wire.ts';
import type { Border, Change, Crossing } from './border.ts';
import type { Invariant } from './checker.ts';
import type { World } from './world.ts';

export interface Mechanism {
  /** What it is in the product. */
  is: string;
  /** `row`: the row's own outcome does not come. */
  breaks: Invariant | 'row';
  /** Row whose fault shows it. */
  row: number;
  /** Answers what puts it back. */
  off(world: World): () => void;
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

/** A delivery that comes again has another key each time: same length, so the message around it stays valid. */
function otherKeys(): Change {
  let count = 0;
  const seen = new Set<string>();
  return ({ path, body }) => {
    if (!path.endsWith('/SignalWithStartWorkflowExecution')) return undefined;
    const text = body.toString('latin1');
    const changed = text.replace(/"(key|deliveryId)":"([^"]{8,})"/g, (_, name: string, value: string) => {
      if (!seen.has(value)) {
        seen.add(value);
        return `"${name}":"${value}"`;
      }
      count += 1;
      return `"${name}":"${value.slice(0, -6)}${String(count).padStart(6, '0')}"`;
    });
    return Buffer.from(changed, 'latin1');
  };
}

/** Every append goes behind what was taken last: a repeat is no repeat any more. */
function atTheEnd(): Change {
  const ends = new Map<string, number>();
  return ({ path, body }) => {
    if (!path.endsWith('/logs/append')) return undefined;
    const { head, bytes } = decodeFrame(body);
    const { ref, offset } = head as { ref: unknown; offset: number };
    const at = ends.get(JSON.stringify(ref)) ?? offset;
    ends.set(JSON.stringify(ref), at + bytes.length);
    return encodeFrame({ ...(head as object), offset: at }, bytes);
  };
}

/** Temporal knows no pipeline that it is asked about: same length, so the message around it stays valid. */
const unknownPipeline: Change = ({ path, body }) =>
  path.endsWith('/DescribeWorkflowExecution')
    ? Buffer.from(body.toString('latin1').replaceAll('pipeline/', 'pipelinX/'), 'latin1')
    : undefined;

function change(border: Border, how: Change): () => void {
  border.changes.push(how);
  return () => void border.changes.splice(border.changes.indexOf(how), 1);
}

/** The target does not tell what has been deployed. */
function withoutStamps(border: Border): () => void {
  const hide = ({ method, path }: Crossing, answer: Buffer): Buffer | undefined => {
    if (method !== 'GET' || !/\/(services|tasks)/.test(path)) return undefined;
    return Buffer.from(answer.toString().replaceAll(DEPLOY_ID, 'x.id').replaceAll(DEPLOY_SEQ, 'x.seq'));
  };
  border.answerChanges.push(hide);
  return () => void border.answerChanges.splice(border.answerChanges.indexOf(hide), 1);
}

export const MECHANISMS = {
  'epoch fence': {
    is: 'the log store refuses an older epoch',
    breaks: 'I8',
    row: 8,
    off: (world) => {
      const back = ['arch>server', 'arch2>server'].map((name) => change(world.border(name), oneEpoch));
      return () => back.forEach((one) => one());
    },
  },
  'dedupe key': {
    is: 'the project knows the key of an event',
    breaks: 'I1',
    row: 21,
    off: (world) => change(world.border('server>temporal'), otherKeys()),
  },
  'log offset fence': {
    is: 'an append below the end of a log is a repeat, or refused',
    breaks: 'I3',
    row: 14,
    off: (world) => change(world.border('arch>server'), atTheEnd()),
  },
  'describe before removal': {
    is: 'the janitor asks Temporal whether a run is over',
    breaks: 'row',
    row: 2,
    off: (world) => change(world.border('arch>temporal'), unknownPipeline),
  },
  'target read first': {
    is: 'the id of a deployment stands at the target, and is looked for before a write',
    breaks: 'I2',
    row: 5,
    off: (world) => withoutStamps(world.border('deploy>target')),
  },
} as const satisfies Record<string, Mechanism>;
export type MechanismName = keyof typeof MECHANISMS;

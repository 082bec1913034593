/** Changes or hides what mechanisms depend on, at the border that it crosses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { deriveSealKey, localSecrets } from '../../src/adapters/secrets/index.ts';
import { DEPLOY_ID, DEPLOY_SEQ } from '../../src/adapters/swarm/labels.ts';
import { decodeFrame, encodeFrame } from '../../src/adapters/http/wire.ts';
import { LABELS } from '../../activities/runtime/container-names.ts';
import type { Border, Change, Crossing } from './border.ts';
import type { World } from './world.ts';

/** The store sees the same epoch in every request. The harness still records the original. */
const EPOCH = 1_000_000;
export const oneEpoch: Change = ({ path, body }) => {
  const what = /\/logs\/(open|append|end)$/.exec(path)?.[1];
  if (what === undefined) return undefined;
  if (what !== 'append') return Buffer.from(JSON.stringify({ ...JSON.parse(body.toString()), epoch: EPOCH }));
  const { head, bytes } = decodeFrame(body);
  return encodeFrame({ ...(head as object), epoch: EPOCH }, bytes);
};

/** A repeated delivery has another key each time: same length, so the message around it stays valid. */
export function otherKeys(): Change {
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

/** Every append goes behind the last one: a repeat is no longer recognized. */
export function atTheEnd(): Change {
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

/** Temporal knows none of the requested pipelines: same length, so the message around it stays valid. */
export const unknownPipeline: Change = ({ path, body }) =>
  path.endsWith('/DescribeWorkflowExecution')
    ? Buffer.from(body.toString('latin1').replaceAll('pipeline/', 'pipelinX/'), 'latin1')
    : undefined;

export function change(border: Border, how: Change): () => void {
  border.changes.push(how);
  return () => void border.changes.splice(border.changes.indexOf(how), 1);
}

/** The target does not report what has been deployed. */
export function withoutStamps(border: Border): () => void {
  const hide = ({ method, path }: Crossing, answer: Buffer): Buffer | undefined => {
    if (method !== 'GET' || !/\/(services|tasks)/.test(path)) return undefined;
    return Buffer.from(answer.toString().replaceAll(DEPLOY_ID, 'x.id').replaceAll(DEPLOY_SEQ, 'x.seq'));
  };
  border.answerChanges.push(hide);
  return () => void border.answerChanges.splice(border.answerChanges.indexOf(hide), 1);
}

/**
 * Messages of a gRPC request with their text changed to another of the same length. Packed ones are sent
 * unpacked.
 */
function sameLength(body: Buffer, change: (text: string) => string): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + FRAME_HEAD + body.readUInt32BE(at + 1);
    const sent = body.subarray(at + FRAME_HEAD, end);
    const message = body[at] === 1 ? gunzipSync(sent) : sent;
    const changed = Buffer.from(change(message.toString('latin1')), 'latin1');
    if (changed.length !== message.length) throw new Error('the message has another length');
    const head = Buffer.alloc(FRAME_HEAD);
    head.writeUInt32BE(changed.length, 1);
    frames.push(head, changed);
    at = end;
  }
  return Buffer.concat(frames);
}
/** One byte that says whether it is packed, four of its length. */
const FRAME_HEAD = 5;

/** No report of a worker about a job names its machine. */
export const namelessMachine: Change = ({ path, body }) =>
  /\/(RecordActivityTaskHeartbeat|RespondActivityTaskFailed)(ById)?$|\/SignalWorkflowExecution$/.test(path)
    ? sameLength(body, (text) => text.replaceAll('"host":', '"hosx":'))
    : undefined;

/** A resumed job has no values to mask. */
export function noMasks(world: World): () => void {
  const token = readFileSync(join(world.home, 'keys', 'control-token'), 'utf8').trim();
  const { seal } = localSecrets({ sealKey: deriveSealKey(token), readEnv: () => undefined });
  const sealed = Buffer.from(seal(Buffer.from('[]'))).toString('base64');
  const answer = ({ path, body }: Crossing): Buffer | undefined =>
    path.endsWith('/records/get') && body.includes('"masks/')
      ? Buffer.from(JSON.stringify({ value: { sealed } }))
      : undefined;
  return answerChange(world.border('arch>server'), answer);
}

function answerChange(border: Border, how: Border['answerChanges'][number]): () => void {
  border.answerChanges.push(how);
  return () => void border.answerChanges.splice(border.answerChanges.indexOf(how), 1);
}
function pathChange(border: Border, how: Border['pathChanges'][number]): () => void {
  border.pathChanges.push(how);
  return () => void border.pathChanges.splice(border.pathChanges.indexOf(how), 1);
}

/** The last signal of a cancel has no effect; at the end, the harness kills what is left. */
export function noKill(world: World): () => Promise<void> {
  const back = pathChange(world.border('arch>engine'), ({ path }) =>
    path.includes('/kill') ? path.replace('signal=SIGKILL', 'signal=SIGCONT') : undefined,
  );
  return async () => {
    back();
    const left = await world.engine.docker('ps', '-q', '--filter', `label=${LABELS.key}=deaf`);
    for (const id of left.split('\n').filter((one) => one !== '')) await world.engine.docker('kill', id);
  };
}

/** The engine lists the objects of every installation as if all belonged to this one. */
export function oneInstallation(world: World): () => void {
  const border = world.border('arch>engine');
  const filter = encodeURIComponent(`${LABELS.installation}=${world.installation}`);
  const label = new RegExp(`"${LABELS.installation}":"[^"]*"`, 'g');
  const isList = ({ method, path }: Crossing): boolean =>
    method === 'GET' && /\/(containers\/json|volumes|networks)\?/.test(path);
  const backs = [
    pathChange(border, (crossing) =>
      isList(crossing) ? crossing.path.replace(filter, LABELS.installation) : undefined,
    ),
    answerChange(border, (crossing, answer) =>
      isList(crossing)
        ? Buffer.from(answer.toString().replaceAll(label, `"${LABELS.installation}":"${world.installation}"`))
        : undefined,
    ),
  ];
  return () => backs.forEach((back) => back());
}

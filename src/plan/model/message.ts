/** Messages that decide something, and the text that their proof signs. */
import type { Decision } from './decision.ts';
import type { StopEnvironment, StopRef } from './environments.ts';
import { pipelineWorkflowId, projectWorkflowId, type PipelineId, type ProjectSlug } from './ids.ts';
import type { Proof } from './proof.ts';
import type { Asker } from './protocol.ts';
import type { Trigger } from './trigger.ts';

/** What can be proven. */
export type Message =
  | { kind: 'decision'; pipeline: PipelineId; decision: Decision }
  | { kind: 'cancel'; pipeline: PipelineId; by: Asker }
  | { kind: 'trigger'; trigger: Trigger }
  | { kind: 'stopEnvironment'; project: ProjectSlug; stop: StopEnvironment }
  | { kind: 'stopRef'; project: ProjectSlug; stop: StopRef };

export const proofOf = (message: Message): Proof | undefined => {
  switch (message.kind) {
    case 'decision':
      return message.decision.proof;
    case 'cancel':
      return message.by.proof;
    case 'trigger':
      return message.trigger.proof;
    case 'stopEnvironment':
    case 'stopRef':
      return message.stop.proof;
  }
};

/** The signed text: fields in a fixed order, so that no two messages have the same. */
export function signedText(message: Message): string {
  switch (message.kind) {
    case 'decision':
      return JSON.stringify([
        'davit decision v1',
        pipelineWorkflowId(message.pipeline),
        ...decided(message.decision),
      ]);
    case 'cancel': {
      const { actor, role } = message.by;
      return JSON.stringify(['davit cancel v1', pipelineWorkflowId(message.pipeline), actor, role]);
    }
    case 'trigger':
      return JSON.stringify([
        'davit trigger v1',
        projectWorkflowId(message.trigger.project),
        asked(message.trigger),
      ]);
    case 'stopEnvironment': {
      const { name, actor, since = null } = message.stop;
      return JSON.stringify(['davit stop v1', projectWorkflowId(message.project), name, actor, since]);
    }
    case 'stopRef': {
      const { refKind, ref, at } = message.stop;
      return JSON.stringify(['davit stop ref v1', projectWorkflowId(message.project), refKind, ref, at]);
    }
  }
}

function decided({ action, job, actor, role, proof, ...more }: Decision): unknown[] {
  const { comment = null, confirm = null, stops = null, target = null } = more;
  const { turn = 0, attempt = 0 } = proof ?? {};
  return [action, job, actor, role, comment, confirm, stops, target, turn, attempt];
}

/** The project completes what the reconciler asks for. */
function asked({ proof: _proof, ...trigger }: Trigger): unknown {
  if (!trigger.reconciled) return sorted(trigger);
  const { key: _key, before: _before, ...rest } = trigger;
  return sorted(rest);
}

/** With the fields of every object in alphabetical order, and without those that JSON leaves out. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .filter(([, one]) => one !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, one]) => [name, sorted(one)]);
}

/**
 * davit without one of its mechanisms: what the mechanism depends on is removed at the border that it
 * crosses, as if the mechanism did not exist; nothing in the product can switch it off. Where no border can
 * do that, processes run from a copy of the sources with a changed line. A run without a mechanism must break
 * its invariant; that proves that the runs with it are meaningful.
 */
import type { Invariant } from './checker.ts';
import {
  atTheEnd,
  change,
  namelessMachine,
  noKill,
  noMasks,
  oneEpoch,
  oneInstallation,
  otherKeys,
  unknownPipeline,
  withoutStamps,
} from './taken-away.ts';
import type { PartName } from './parts.ts';
import type { Line } from './tree.ts';
import type { World } from './world.ts';

type Back = () => Promise<void> | void;
export interface Mechanism {
  /** What it is in the product. */
  is: string;
  /** `row`: the row's own outcome fails. */
  breaks: Invariant | 'row';
  /** The row whose fault shows it. */
  row: number;
  /** As for its row: it kills and cuts nothing that the others need, so they run in parallel. */
  beside?: true;
  /**
   * For the row's pipelines, if the break is that one does not end: the time that davit needs for them, and
   * a margin.
   */
  deadlineMs?: number;
  /** Returns the function that restores it. */
  off(world: World): Back | Promise<Back>;
}

/** Processes run from a copy with the line changed. `back` undoes what else was taken away, before they return. */
async function fromCopy(
  world: World,
  { line, names, back }: { line: Line; names: readonly PartName[]; back: () => Back },
): Promise<Back> {
  await world.runFrom(line, names);
  const undo = back();
  return async () => {
    await undo();
    await world.runFrom(undefined, names);
  };
}
const NOTHING_ELSE = (): Back => () => undefined;

/** The one place where a person's decision is checked, by the server and by the workflow. */
const LATE_DECISION: Line = {
  file: 'src/plan/policy/approval-policy.ts',
  from: 'return decision.stops === undefined ? tooLate(view, decision) : judgeStop(view, decision.stops);',
  to: "return accept('retry', 'late');",
};

/** An object is known by its name as well as by its label: the label alone must decide here. */
const ANY_NAME: Line = {
  file: 'activities/runtime/container-names.ts',
  from: 'return name === own || name.startsWith(`${own}-`) ? of : undefined;',
  to: 'return of;',
};

/** The server signs the key of an event: here a changed one counts as well. */
const ANY_PROOF: Line = {
  file: 'workflows/proof.ts',
  from: "  return answer.verdict === 'proven' ? undefined : answer.reason;",
  to: '  return answer.verdict === undefined ? "" : undefined;',
};

/** The token of an attempt opens the log under its own dispatch alone: the store alone must decide here. */
const ANY_DISPATCH: Line = {
  file: 'src/server/attempts/attempt-rules.ts',
  from: 'if (epoch > highest) refuse(',
  to: 'if (epoch > Number.MAX_VALUE && highest > 0) refuse(',
};

/** What the keys before the newest one have sealed opens no more. */
const NEWEST_KEY: Line = {
  file: 'src/adapters/keys/key-ring.ts',
  from: 'find: (id) => all().find((key) => key.id === id),',
  to: 'find: (id) => all().slice(0, 1).find((key) => key.id === id),',
};
/** What the forge does not take is given up. */
const ONE_TRY: Line = {
  file: 'activities/pipeline/commit-status.ts',
  from: '      throw withDelay(error);',
  to: '      return void withDelay(error);',
};

export const MECHANISMS = {
  'dedupe key': {
    is: 'the project knows the key of an event',
    breaks: 'I1',
    row: 21,
    off: (world) =>
      fromCopy(world, {
        line: ANY_PROOF,
        names: ['control'],
        back: () => change(world.border('server>temporal'), otherKeys()),
      }),
  },
  'kill after the grace': {
    is: 'a script that does not heed SIGTERM is killed after its grace',
    breaks: 'I5',
    row: 30,
    beside: true,
    deadlineMs: 12_000,
    off: noKill,
  },
  'late decision refused': {
    is: 'a decision about a job that has ended changes nothing',
    breaks: 'I7',
    row: 29,
    beside: true,
    off: (world) =>
      fromCopy(world, { line: LATE_DECISION, names: ['server', 'control'], back: NOTHING_ELSE }),
  },
  'target read first': {
    is: 'the id of a deployment stands at the target, and is looked for before a write',
    breaks: 'I2',
    row: 5,
    beside: true,
    off: (world) => withoutStamps(world.border('deploy>target')),
  },
  'epoch fence': {
    is: 'the log store refuses an older epoch',
    breaks: 'I8',
    row: 8,
    off: (world) =>
      fromCopy(world, {
        line: ANY_DISPATCH,
        names: ['server'],
        back: () => {
          const back = ['arch>server', 'arch2>server'].map((name) => change(world.border(name), oneEpoch));
          return () => back.forEach((one) => one());
        },
      }),
  },
  'machine named': {
    is: 'Temporal knows on which machine a container is, so that it is resumed there and not started again',
    breaks: 'I4',
    row: 2,
    off: (world) => change(world.border('arch>temporal'), namelessMachine),
  },
  'mask set kept': {
    is: 'a worker that resumes a script hides the same values in its log',
    breaks: 'I6',
    row: 2,
    off: noMasks,
  },
  'describe before removal': {
    is: 'the janitor asks Temporal whether a run is over',
    breaks: 'row',
    row: 2,
    off: (world) => change(world.border('arch>temporal'), unknownPipeline),
  },
  'forge waited for': {
    is: 'a commit status that the forge has not taken is written once the forge is back',
    breaks: 'row',
    row: 40,
    off: (world) => fromCopy(world, { line: ONE_TRY, names: ['control'], back: NOTHING_ELSE }),
  },
  'log offset fence': {
    is: 'an append below the end of a log is a repeat, or refused',
    breaks: 'I3',
    row: 14,
    off: (world) => change(world.border('arch>server'), atTheEnd()),
  },
  'installation label': {
    is: 'the janitor removes only what carries the label and a name of its own installation',
    breaks: 'I9',
    row: 35,
    off: (world) => fromCopy(world, { line: ANY_NAME, names: ['arch'], back: () => oneInstallation(world) }),
  },
  'former keys': {
    is: 'what a former key of the installation has sealed and signed still counts',
    breaks: 'row',
    row: 39,
    off: (world) => fromCopy(world, { line: NEWEST_KEY, names: ['server'], back: NOTHING_ELSE }),
  },
} as const satisfies Record<string, Mechanism>;
export type MechanismName = keyof typeof MECHANISMS;

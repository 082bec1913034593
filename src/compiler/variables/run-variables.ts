/**
 * Variables given for one run, by a request or a push option. On a protected ref they replace nothing that
 * the installation or davit itself sets: a run with other values would be another program with the same
 * secrets.
 */
import type { CompileRequest } from '../request.ts';
import { isLocalOperator } from './installation.ts';
import { PREDEFINED } from './predefined-names.ts';

type Given = Pick<CompileRequest, 'trigger' | 'project' | 'instanceVariables'>;

/** They only change how much is logged. */
const SETTABLE = ['CI_DEBUG_TRACE', 'CI_DEBUG_SERVICES'];
const FIXED = new Set(PREDEFINED.filter((name) => !SETTABLE.includes(name)));

/**
 * Whether a run may not choose what gets the secrets of a protected ref. The local operator may: his tree
 * itself says what runs.
 */
export const isRestricted = ({ trigger, project }: Pick<CompileRequest, 'trigger' | 'project'>): boolean =>
  project.protectedRef && !isLocalOperator(trigger);

/** Names that the run may not set, in the order of the request. */
export function refusedRunVariables({ trigger, project, instanceVariables }: Given): string[] {
  if (!isRestricted({ trigger, project })) return [];
  const owned = new Set([...project.variables, ...instanceVariables].map((variable) => variable.name));
  return Object.keys(trigger.variables ?? {}).filter((name) => FIXED.has(name) || owned.has(name));
}

export function runVariables(request: Given): Record<string, string> {
  const refused = new Set(refusedRunVariables(request));
  return Object.fromEntries(
    Object.entries(request.trigger.variables ?? {}).filter(([name]) => !refused.has(name)),
  );
}

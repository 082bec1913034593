/** Options that several commands share, and the parsers of their values. */
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../plan/model/duration.ts';
import { ARCHES, isArch, type Arch } from '../plan/model/ids.ts';

/** Events that `davit plan` accepts. */
export const PLAN_EVENTS = ['push', 'tag', 'merge_request', 'schedule', 'web', 'api'] as const;
export type PlanEvent = (typeof PLAN_EVENTS)[number];

/** `K=V`, repeatable. */
export function variable(text: string, before: Record<string, string> = {}): Record<string, string> {
  const found = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text);
  if (!found?.[1]) throw new InvalidArgumentError('write NAME=VALUE.');
  return { ...before, [found[1]]: found[2] ?? '' };
}

/** `NAME=VALUE`, repeatable: a value for `spec:inputs` as text; inputs of other types are parsed as JSON. */
export function input(text: string, before: Record<string, string> = {}): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals <= 0) throw new InvalidArgumentError('write NAME=VALUE.');
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}
export const INPUT_HELP = 'a value for spec:inputs of the file (repeatable)';
/** `GROUP/PROJECT=FOLDER`, repeatable. */
export function projectPath(text: string, before: Record<string, string> = {}): Record<string, string> {
  const found = /^([^=]+)=(.+)$/s.exec(text);
  if (!found?.[1] || !found[2]) throw new InvalidArgumentError('write NAME=FOLDER.');
  return { ...before, [found[1]]: found[2] };
}
/** Option of the commands that read a local pipeline file. */
export const PROJECT_PATH = [
  '--project-path <name=folder>',
  'a local checkout to use for this project in include and exists (repeatable)',
] as const;

/** Option of the same commands. */
export const TEMPLATES = [
  '--templates <gitlab>',
  "also read GitLab's own templates of include:template from gitlab.com",
] as const;
export function templates(text: string): 'gitlab' {
  if (text !== 'gitlab') throw new InvalidArgumentError('write gitlab.');
  return text;
}

/** `arm32` or `arm32,arm64`, repeatable. */
export function arches(text: string, before: Arch[] = []): Arch[] {
  const named = text.split(',').map((one) => one.trim());
  const unknown = named.find((one) => !isArch(one));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`an architecture is one of ${ARCHES.join(', ')}.`);
  return [...new Set([...before, ...named.filter(isArch)])];
}

/** `90d`, as durations of a pipeline file; in ms. */
export function time(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 1_000) throw new InvalidArgumentError('write a duration, as 90d or 12h.');
  return ms;
}

/** A whole number from `min` to `max`. */
export const count =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`write a whole number from ${min} to ${max}.`);
    return value;
  };

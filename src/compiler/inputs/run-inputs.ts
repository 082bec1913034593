/**
 * The inputs of a pipeline, from command line or API: each is a small text of its own, so that messages can
 * point at it.
 */
import { SourceText } from '../source-text.ts';
import type { Entry } from '../yaml/nodes.ts';
import type { Problems } from '../problems.ts';
import type { InputValue } from '../../plan/model/trigger.ts';
import type { GivenInputs } from './resolve.ts';
import { nodeOf } from './values.ts';

/** GitLab's limit for a pipeline. */
const MAX_INPUTS = 20;

/** As in GitLab, a text is read as JSON if the input is not a string. */
export function runInputs(
  inputs: Readonly<Record<string, InputValue>> | undefined,
  problems: Problems,
): GivenInputs {
  const given = new Map<string, Entry>();
  const names = Object.entries(inputs ?? {});
  for (const [key, value] of names.slice(0, MAX_INPUTS)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const at = { source: new SourceText(`input ${key}`, text), offset: 0 };
    const node = nodeOf(value, at);
    if (node) given.set(key, { key, at, value: node });
    else problems.add('language/input', `the input "${key}" is nested too deeply`, { at });
  }
  if (names.length > MAX_INPUTS)
    problems.add('language/too-large', `${names.length} inputs are given; at most ${MAX_INPUTS} are allowed`);
  return given;
}

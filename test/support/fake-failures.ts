/** How a fake activity fails: the types of failures that workflows act upon. */
import { ApplicationFailure } from '@temporalio/activity';

export type Thrown = 'detached' | 'handed-back' | 'fenced' | 'defect';
export function thrown(what: Thrown, host: string): Error {
  if (what === 'fenced')
    return ApplicationFailure.create({ type: 'log/fenced', message: 'a higher epoch', nonRetryable: true });
  if (what === 'detached')
    return ApplicationFailure.create({
      type: 'Detached',
      message: 'gone',
      nonRetryable: true,
      details: [{ host }],
    });
  if (what === 'handed-back')
    return ApplicationFailure.create({ type: 'HandedBack', message: 'lacks a tag', nonRetryable: true });
  return ApplicationFailure.nonRetryable('it broke');
}

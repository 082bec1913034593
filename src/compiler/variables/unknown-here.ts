import type { CompileRequest } from '../request.ts';
import { referencesOf } from './expand.ts';
import { isPredefined } from './predefined-names.ts';
import type { Scope } from './scope.ts';

/** Names in a text that nothing sets. */
export const unsetNames = (text: string, scope: Scope): string[] => [
  ...new Set(referencesOf(text).filter((name) => scope.find(name) === undefined)),
];

/**
 * For `davit lint`: whether a text may mean something else on the server, which has the project's variables. What is wrong with
 * it only because this machine does not know a name is no mistake of the file.
 */
export const isUnknownHere = (text: string, scope: Scope, { lint }: Pick<CompileRequest, 'lint'>): boolean =>
  lint === true && unsetNames(text, scope).some((name) => !isPredefined(name));

import { sha256 } from '../../src/utils/sha256.ts';

/** Turns a name of any length and characters into a part of a record's name. */
export const artifactNameHash = (...names: string[]): string => sha256(JSON.stringify(names));

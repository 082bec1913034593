import { sha256 } from '../../src/utils/sha256.ts';

/** A name of any length and characters as a part of a record's name. */
export const artifactNameHash = (...names: string[]): string => sha256(JSON.stringify(names));

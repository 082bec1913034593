/** Masking: pure, no adapter, no clock. */
export { maskPatterns, MIN_MASKED_BYTES, tooShortToMask } from './forms.ts';
export { Masker, maskAutomaton, maskText } from './masker.ts';
export type { Automaton } from './automaton.ts';

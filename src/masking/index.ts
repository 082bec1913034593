/** Masking: pure, no adapter, no clock. */
export { maskPatterns, SHORTEST_MASKED, tooShortToMask } from './forms.ts';
export { Masker, maskAutomaton, maskText } from './masker.ts';
export type { Automaton } from './automaton.ts';

/** `.ts` in a checkout, `.js` in the installed package: for the few places that name a file of the code. */
export const CODE_EXTENSION = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';

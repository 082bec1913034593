/**
 * The mark before davit's own lines in a stored log. What a job prints cannot have it: it is masked where output comes in. Lines
 * of older workers have none. An application program command of ECMA-48, of which a terminal shows nothing.
 */
export const OWN_LINE = '\u001b_davit\u001b\\';

/** A line of davit's own. Only its first line is: the others may quote what a program has said. */
export const ownLine = (text: string): string => `${OWN_LINE}${text.replaceAll(OWN_LINE, '[MASKED]')}`;

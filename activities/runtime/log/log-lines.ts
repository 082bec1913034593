/** davit's own lines in a job's log, in GitLab's colours. */
const paint = (code: string, text: string): string => `\u001b[${code}m${text}\u001b[0;m`;

export const info = (text: string): string => paint('36;1', text);
export const good = (text: string): string => paint('32;1', text);
export const warning = (text: string): string => paint('33;1', `WARNING: ${text}`);
export const bad = (text: string): string => paint('31;1', `ERROR: ${text}`);

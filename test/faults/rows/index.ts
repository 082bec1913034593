/** The rows that are implemented, in the order of their value. */
import { killScript } from './02-kill-script.ts';
import { killEnded } from './03-kill-ended.ts';
import { killDeploy } from './05-kill-deploy.ts';
import type { Row } from './row.ts';

export const ROWS: readonly Row[] = [killDeploy, killScript, killEnded];

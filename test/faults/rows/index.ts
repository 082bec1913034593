/** The rows that are implemented, in the order of their value. */
import { killScript } from './02-kill-script.ts';
import { killEnded } from './03-kill-ended.ts';
import { killDeploy } from './05-kill-deploy.ts';
import { frozen } from './08-frozen.ts';
import { lostAnswers } from './12-lost-answers.ts';
import { webhookTwice } from './21-webhook-twice.ts';
import { race } from './28-race.ts';
import { raceEnd } from './29-race-end.ts';
import { twoDeploy } from './33-two-deploy.ts';
import { duplicateDeploy } from './34-duplicate-deploy.ts';
import type { Row } from './row.ts';

export const ROWS: readonly Row[] = [
  killDeploy,
  frozen,
  killScript,
  killEnded,
  lostAnswers,
  webhookTwice,
  twoDeploy,
  duplicateDeploy,
  race,
  raceEnd,
];

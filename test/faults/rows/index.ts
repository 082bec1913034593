/** The rows that are implemented, in the order of their value. */
import { killBuild } from './01-kill-build.ts';
import { killScript, killScriptAway } from './02-kill-script.ts';
import { killEnded } from './03-kill-ended.ts';
import { killPush } from './04-kill-push.ts';
import { killDeploy } from './05-kill-deploy.ts';
import { hostLost } from './06-host-lost.ts';
import { hostReturns } from './07-host-returns.ts';
import { frozen } from './08-frozen.ts';
import { rolling } from './09-rolling.ts';
import { temporalGate } from './10-temporal-gate.ts';
import { temporalAll } from './11-temporal-all.ts';
import { lostAnswers } from './12-lost-answers.ts';
import { cutTemporal } from './13-cut-temporal.ts';
import { cutStore, stallStore } from './14-cut-store.ts';
import { engineKilled } from './15-engine-killed.ts';
import { engineRestart } from './15-engine-restart.ts';
import { liveRestore } from './16-live-restore.ts';
import { liveRestoreSwarm } from './17-live-restore-swarm.ts';
import { cutEngine } from './18-cut-engine.ts';
import { registryDown } from './19-registry-down.ts';
import { registryRefuses } from './20-registry-refuses.ts';
import { webhookTwice } from './21-webhook-twice.ts';
import { outOfOrder } from './22-out-of-order.ts';
import { storm } from './23-storm.ts';
import { killServer } from './24-kill-server.ts';
import { diskFullStore } from './25-disk-full-store.ts';
import { diskFullEngine } from './26-disk-full-engine.ts';
import { clockSkew } from './27-clock-skew.ts';
import { race } from './28-race.ts';
import { raceEnd } from './29-race-end.ts';
import { cancelScript } from './30-cancel-script.ts';
import { cancelDeploy } from './31-cancel-deploy.ts';
import { cancelRetry } from './32-cancel-retry.ts';
import { twoDeploy } from './33-two-deploy.ts';
import { duplicateDeploy } from './34-duplicate-deploy.ts';
import { orphans } from './35-orphans.ts';
import { replay } from './36-replay.ts';
import { exits } from './37-exits.ts';
import { logFlood } from './38-log-flood.ts';
import { rotation } from './39-rotation.ts';
import { forgeAway } from './40-forge-away.ts';
import { upgrade } from './41-upgrade.ts';
import { cutSsh } from './42-cut-ssh.ts';
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
  orphans,
  killBuild,
  killPush,
  rolling,
  rotation,
  temporalGate,
  temporalAll,
  cancelScript,
  cancelDeploy,
  cancelRetry,
  outOfOrder,
  killServer,
  storm,
  registryDown,
  registryRefuses,
  exits,
  killScriptAway,
  cutTemporal,
  cutStore,
  stallStore,
  liveRestore,
  engineRestart,
  engineKilled,
  cutEngine,
  cutSsh,
  replay,
  diskFullStore,
  diskFullEngine,
  clockSkew,
  logFlood,
  forgeAway,
  liveRestoreSwarm,
  hostLost,
  hostReturns,
  upgrade,
];

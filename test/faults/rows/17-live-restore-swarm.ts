import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { ROOT } from '../../support/source.ts';
import { expectThat, note, type Row } from './row.ts';

/**
 * Engines differ in whether they start in this configuration at all; what this one reports is changed on its
 * way to doctor.
 */
export const liveRestoreSwarm: Row = {
  row: 17,
  fault: 'live-restore on a machine of a swarm',
  moment: 'preflight',
  calm: true,
  async run(world) {
    const border = world.border('arch2>engine');
    border.answerChanges.push(({ path }, answer) => {
      if (!/\/info$/.test(path)) return undefined;
      return Buffer.from(JSON.stringify({ ...JSON.parse(answer.toString()), LiveRestoreEnabled: true }));
    });
    try {
      note(world, 17, 'the engine is in a swarm and says that it has live-restore on');
      const from = world.history.now();
      const env = { ...world.environment('arch2'), DOCKER_HOST: `unix://${world.socketOf('arch2')}` };
      const main = join(ROOT, 'src', 'cli', 'main.ts');
      const doctor = spawn(process.execPath, [main, 'doctor'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      const [said] = await Promise.all([text(doctor.stdout), text(doctor.stderr)]);
      expectThat(/in a swarm and has live-restore enabled/.test(said), 'doctor does not name it', said);
      expectThat(/Remove "live-restore"/.test(said), 'doctor does not say what to do', said);
      return { recoveryMs: [world.history.now() - from] };
    } finally {
      border.answerChanges.length = 0;
    }
  },
};

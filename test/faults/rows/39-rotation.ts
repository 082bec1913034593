/**
 * Keys and tokens are replaced while processes are killed: what the former key has sealed and signed still counts, and
 * a machine goes on with its next token.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rotateKeyFile } from '../../../src/adapters/keys/key-ring.ts';
import type { World } from '../world.ts';
import { countFile, expectThat, expectWhole, jobOf, MANUAL_GO, note, type Row } from './row.ts';

const LINES = 60;
const MACHINE = 'rotated';

export const rotation: Row = {
  row: 39,
  fault: 'rotation of keys and tokens, kill -9 worker, server, control worker',
  moment: 'script running, gate open',
  separate: 'Its worker has the token of the machine itself.',
  long: true,
  async run(world) {
    const { client, processes, history } = world;
    const file = join(world.home, 'machine-token');
    const first = await newToken(world, file);
    try {
      processes.arch.withEnv({ DAVIT_WORKER_TOKEN_FILE: file });
      await processes.arch.end('SIGKILL');
      await processes.arch.start();
      const id = await client.start(world.project(39), countFile(LINES, 12, MANUAL_GO));
      await client.untilLogged(id, 'count', 'line-3\n');
      note(world, 39, `the key is rotated under ${id}`);
      rotate(world);
      await processes.server.end('SIGKILL');
      rotate(world);
      await processes.server.start();
      note(world, 39, `the token of the machine is replaced under ${id}`);
      const second = await newToken(world, file);
      await revoke(world, first.id);
      // It has only what the former key has sealed, and the new token.
      await processes.arch.end('SIGKILL');
      await processes.arch.start();
      const back = history.now();
      const status = await client.when(id, 'resumed', (one) => (one.jobs[0]?.epoch ?? 0) > 1);
      const recovery = history.now() - back;
      expectThat(jobOf(status, 'count').attempt === 1, 'an attempt was used up');
      await processes.control.end('SIGKILL');
      rotate(world);
      await processes.control.start();
      await client.when(id, 'at its gate', (one) => jobOf(one, 'go').phase === 'gate');
      // The control worker has never seen this key.
      rotate(world);
      const sent = await client.decide(id, 'go', 'play');
      expectThat(sent.answer === 'ok', 'the approval was not taken', sent);
      expectWhole(world, await client.verdict(id), LINES);
      const refused = await fetch(`http://127.0.0.1:${world.ports.server}/internal/v1/facts`, {
        headers: { authorization: `Bearer ${first.token}` },
      });
      expectThat(refused.status === 401, 'the revoked token still counts', refused.status);
      await revoke(world, second.id);
      return { recoveryMs: [recovery] };
    } finally {
      processes.arch.withEnv();
      await processes.arch.end('SIGKILL');
    }
  },
};

const rotate = (world: World): void => void rotateKeyFile(join(world.home, 'keys', 'installation-key'));

async function newToken(world: World, file: string): Promise<{ token: string; id: string }> {
  const { answer, body } = await world.client.post('/api/v1/worker-tokens', { name: MACHINE, forks: true });
  expectThat(answer === 'ok', 'no token was made', body);
  const made = { token: String(body.token), id: String(body.id) };
  writeFileSync(file, `${made.token}\n`, { mode: 0o600 });
  return made;
}

async function revoke(world: World, id: string): Promise<void> {
  const { answer, body } = await world.client.post('/api/v1/worker-tokens/revoke', { name: MACHINE, id });
  expectThat(answer === 'ok', 'the token was not revoked', body);
}

/**
 * Ports that a board needs of this machine, over OpenSSH's own server: two connections that want the same one, something
 * else that has it, a server that refuses it, and a link that is lost without a word.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { dockerEngine } from '../../src/adapters/docker/index.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { sshServerPart } from '../parts/ssh-server.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { eventually } from '../support/davit.ts';
import { startSshMachine, type SshMachine } from '../support/ssh-machine.ts';

const WAIT_MS = 60_000;
const command = promisify(execFile);

await describeWithParts('forwards over ssh', [sshServerPart], ([part = '']) => forwards(join(part, 'sshd')), {
  root: true,
});

function forwards(sshd: string): void {
  let board: SshMachine;
  let registry: Server;
  let port = 0;
  const before = process.env.SSH_AUTH_SOCK;
  const problems: string[] = [];
  const engines = new Set<Engine>();

  beforeAll(async () => {
    board = await startSshMachine(sshd);
    process.env.SSH_AUTH_SOCK = board.agent;
    registry = createServer((_, reply) => reply.end('the registry')).listen(0, '127.0.0.1');
    await once(registry, 'listening');
    ({ port } = registry.address() as AddressInfo);
  });
  afterEach(async () => {
    for (const engine of engines) await engine.close();
    engines.clear();
    problems.length = 0;
  });
  afterAll(async () => {
    if (before === undefined) delete process.env.SSH_AUTH_SOCK;
    else process.env.SSH_AUTH_SOCK = before;
    registry.close().closeAllConnections();
    await board.stop();
  });

  async function connect(): Promise<Engine> {
    const engine = await dockerEngine({
      ...{ address: board.address, knownHosts: board.knownHosts, reversePorts: [port] },
      onProblem: (text) => void problems.push(text),
    });
    engines.add(engine);
    await engine.info();
    return engine;
  }
  const reaches = (): Promise<string> =>
    eventually('the registry, from the board', WAIT_MS, async () => {
      const text = await board.get(port);
      return text === 'the registry' ? text : undefined;
    });

  test('of two connections that want a port one has it, and the other takes over', async () => {
    const first = await connect();
    expect(await board.get(port)).toBe('the registry');
    await connect();
    expect(problems).toEqual([]);
    await first.close();
    engines.delete(first);
    await reaches();
    expect(problems).toEqual([]);
  });

  test('a port that something else has is named, and taken when it is free', async () => {
    const other = `require('http').createServer((q,r)=>r.end('another')).listen(${port},'127.0.0.1')`;
    const listener = board.start(process.execPath, '-e', other);
    await eventually('the other listener', WAIT_MS, async () => (await board.get(port)) && true);
    await connect();
    expect(problems).toEqual([
      `Something else listens on port ${port} of ${board.address}: its engine cannot reach the registry there.`,
    ]);
    listener.kill();
    await reaches();
  });

  test('a server that refuses the forward is named, and calls to the engine work', async () => {
    await board.configure('AllowTcpForwarding local');
    try {
      await connect();
      expect(problems).toHaveLength(1);
      expect(problems[0]).toContain(`The ssh server refuses to forward port ${port} of ${board.address}`);
      expect(problems[0]).toContain('AllowTcpForwarding yes');
    } finally {
      await board.configure();
    }
    await reaches();
  });

  test('a server that forwards nothing: the error says what to look at', async () => {
    await board.configure('AllowTcpForwarding no');
    await expect(connect()).rejects.toMatchObject({
      code: 'engine/unreachable',
      hint: expect.stringContaining('sshd_config does not allow AllowTcpForwarding'),
    });
    await board.configure();
    const [engine] = engines;
    await eventually('the engine', WAIT_MS, () => engine?.info().catch(() => undefined));
  });

  test('after a link that was lost without a word the port is taken back', async () => {
    await connect();
    await reaches();
    await board.cable('down');
    // As when this machine is switched off: the board's server keeps the old connection, and the port.
    await command('pkill', ['-KILL', '-f', `^ssh .*${board.knownHosts}`]);
    await board.cable('up');
    await reaches();
  });
}

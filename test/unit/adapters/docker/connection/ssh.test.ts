import { expect, test } from 'vitest';
import { sshArguments } from '../../../../../src/adapters/docker/connection/ssh.ts';

const address = {
  kind: 'ssh',
  user: 'pi',
  host: 'board.local',
  port: 2222,
  socket: '/var/run/docker.sock',
} as const;

test('the arguments of ssh: check host keys, never prompt, the destination', () => {
  const args = sshArguments({ address, reversePorts: [5000], knownHosts: '/a b/known' }, '/tmp/x');
  expect(args).toMatchInlineSnapshot(`
    [
      "-N",
      "-T",
      "-o",
      "StrictHostKeyChecking=yes",
      "-o",
      "BatchMode=yes",
      "-o",
      "ConnectTimeout=15",
      "-o",
      "ServerAliveInterval=15",
      "-o",
      "ServerAliveCountMax=3",
      "-o",
      "StreamLocalBindUnlink=yes",
      "-o",
      "ForwardAgent=no",
      "-o",
      "PermitLocalCommand=no",
      "-o",
      "ControlMaster=yes",
      "-o",
      "ControlPath="/tmp/x/control"",
      "-o",
      "ControlPersist=no",
      "-o",
      "ExitOnForwardFailure=no",
      "-o",
      "UserKnownHostsFile="/a b/known"",
      "-o",
      "GlobalKnownHostsFile=/dev/null",
      "-L",
      "/tmp/x/engine.sock:/var/run/docker.sock",
      "-L",
      "/tmp/x/far-5000.sock:127.0.0.1:5000",
      "-p",
      "2222",
      "--",
      "pi@board.local",
    ]
  `);
});

test('a path with a special meaning for ssh is refused', () => {
  for (const knownHosts of ['/a"b', '/a\nb', '/%h', '/${HOME}'])
    expect(() => sshArguments({ address, reversePorts: [], knownHosts }, '/s')).toThrow(
      expect.objectContaining({ code: 'engine/address' }),
    );
});

/**
 * What jobs reach. An attacker's script, service and API test look for open ports on an engine in a network without
 * a way out: they find the server and the registry, before and after a restart of the machine.
 * So does a line of the Dockerfile of a fork.
 */
import { describe, expect, test } from 'vitest';
import { buildkitPart, nftablesPart } from '../parts/engine-parts.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { foundByBuild } from '../support/egress-build.ts';
import { findsNoMore, found, REACHABLE, startMachine } from '../support/egress-machine.ts';
import { PORTS, WORLD } from '../support/enclosed-engine.ts';

await describeWithParts('by nft', [nftablesPart], () => findsNoMore({ program: 'nft' }, []), { root: true });
describe('by iptables', () => {
  findsNoMore({ program: 'iptables', options: { without: ['/usr/sbin/nft'] } }, []);
});

test('over ssh a job finds no more, also after a restart of the machine', async () => {
  const machine = await startMachine({ ssh: true });
  try {
    expect(await found(machine)).toEqual(REACHABLE);
    await machine.bench.settled();
    await machine.box.restartMachine();
    expect(await found(machine)).toEqual(REACHABLE);
  } finally {
    await machine.stop();
  }
});

describe('what the worker says', () => {
  test('unfiltered: everything that the machine reaches', async () => {
    const machine = await startMachine({}, { egress: 'unfiltered' });
    try {
      const open = await found(machine, { fork: true, protectedRef: false });
      expect(open).toContain(`${WORLD.machine}:${PORTS.temporal}`);
      expect(open).toContain(`${WORLD.privateHost}:${PORTS.web}`);
      expect(open).toContain(`${WORLD.metadata}:${PORTS.web}`);
    } finally {
      await machine.stop();
    }
  });

  test('allow: a range and one port', async () => {
    const allow = [`${WORLD.privateHost}/32`, `${WORLD.machine}:${PORTS.registryAdmin}`];
    const machine = await startMachine({}, { egress: { allow } });
    try {
      const more = [
        `${WORLD.privateHost}:80`,
        `${WORLD.privateHost}:8080`,
        `${WORLD.machine}:${PORTS.registryAdmin}`,
      ];
      expect(await found(machine)).toEqual([...REACHABLE, ...more].sort());
    } finally {
      await machine.stop();
    }
  });
});

test('without any program for it, forks and unprotected refs do not run, and protected refs do', async () => {
  const programs = ['nft', 'iptables', 'xtables-nft-multi', 'xtables-legacy-multi'].map(
    (name) => `/usr/sbin/${name}`,
  );
  const machine = await startMachine({ without: programs, config: { iptables: false, ip6tables: false } });
  try {
    expect(await machine.guard.problem()).toContain('There is no iptables');
    expect(await found(machine)).toContain(`${WORLD.machine}:${PORTS.temporal}`);
    for (const trust of [{ fork: true }, { protectedRef: false }])
      await expect(found(machine, trust)).rejects.toThrow('[job/egress]');
  } finally {
    await machine.stop();
  }
});

await describeWithParts('a line of a Dockerfile of a fork', [buildkitPart], ([folder = '']) => {
  test('finds the server, the registry and the internet, as its jobs do', async () => {
    const machine = await startMachine({});
    try {
      expect(await foundByBuild(machine, folder)).toEqual(REACHABLE);
    } finally {
      await machine.stop();
    }
  });
});

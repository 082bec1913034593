/** The engines that davit is tested on, configured as users have them. */
import { join } from 'node:path';
import { containerdPart, docker28Part, docker29Part, podmanPart } from '../parts/engine-parts.ts';
import type { Part } from '../parts/part.ts';
import { podmanDaemon } from './podman.ts';

export interface EngineKind {
  name: string;
  /** Prepended to PATH, so that these programs replace the machine's own. None: the machine's own. */
  parts: readonly Part[];
  /** How it is started in a folder of its own, so that `/var/run/docker.sock` is its socket. */
  daemon(folder: string): Daemon;
}

export interface Daemon {
  command: readonly [string, ...string[]];
  /** Files written into the folder first, by name. */
  files: Readonly<Record<string, string>>;
  /** Run before it ends, to stop what would otherwise outlive it. */
  last?: readonly [string, ...string[]];
}

/** `config` is its `daemon.json`. */
const dockerd =
  (config: Readonly<Record<string, unknown>>): EngineKind['daemon'] =>
  (folder) => ({
    command: ['dockerd', '--data-root', join(folder, 'data'), '--config-file', join(folder, 'daemon.json')],
    files: { 'daemon.json': JSON.stringify(config) },
  });

/** Docker by age, then Podman. */
export const ENGINE_KINDS: readonly EngineKind[] = [
  { name: 'installed', parts: [], daemon: dockerd({}) },
  {
    name: 'docker-28-classic',
    parts: [docker28Part, containerdPart],
    daemon: dockerd({ features: { 'containerd-snapshotter': false } }),
  },
  {
    name: 'docker-28-containerd',
    parts: [docker28Part, containerdPart],
    daemon: dockerd({ features: { 'containerd-snapshotter': true } }),
  },
  // Unconfigured: the containerd store is its default.
  { name: 'docker-29', parts: [docker29Part, containerdPart], daemon: dockerd({}) },
  // Debian's package; it has no swarm.
  { name: 'podman', parts: [podmanPart], daemon: podmanDaemon },
];

/** The engines that davit is tested on, each as its users install it. */
import { containerdPart, docker28Part, docker29Part } from '../parts/engine-parts.ts';
import type { Part } from '../parts/part.ts';

export interface EngineKind {
  name: string;
  /** Put before PATH, so that they are used in place of the machine's own. None: the machine's own. */
  parts: readonly Part[];
  /** `daemon.json` */
  config: Readonly<Record<string, unknown>>;
}

/** In the order of their age. */
export const ENGINE_KINDS: readonly EngineKind[] = [
  { name: 'installed', parts: [], config: {} },
  {
    name: 'docker-28-classic',
    parts: [docker28Part, containerdPart],
    config: { features: { 'containerd-snapshotter': false } },
  },
  {
    name: 'docker-28-containerd',
    parts: [docker28Part, containerdPart],
    config: { features: { 'containerd-snapshotter': true } },
  },
  // Default settings: the containerd store is its default.
  { name: 'docker-29', parts: [docker29Part, containerdPart], config: {} },
];

/** Every heavy part of the tests. */
import { basePackagesPart } from './bed.ts';
import { chromiumPart } from './chromium.ts';
import { composeEnginePart, dockerComposePart } from './compose.ts';
import {
  buildkitPart,
  containerdPart,
  docker28Part,
  docker29Part,
  nftablesPart,
  podmanPart,
} from './engine-parts.ts';
import { giteaPart } from './gitea.ts';
import type { Part } from './part.ts';
import { sshServerPart } from './ssh-server.ts';
import { systemdPart } from './systemd.ts';

/** Needed by `npm test`. */
export const TEST_PARTS: readonly Part[] = [
  buildkitPart,
  containerdPart,
  docker29Part,
  nftablesPart,
  dockerComposePart,
  composeEnginePart,
  chromiumPart,
  giteaPart,
  sshServerPart,
  basePackagesPart,
  systemdPart,
];
/** Needed by `npm run test:engines` alone. */
export const ENGINE_PARTS: readonly Part[] = [containerdPart, docker28Part, docker29Part, podmanPart];

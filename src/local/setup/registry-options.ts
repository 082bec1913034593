/** Options of the embedded registry, as a program or as a container. */
import type { LocalEngine } from './docker.ts';

export interface RegistryOptions {
  port: number;
  /** For the container, if there is no program. */
  engine: Promise<LocalEngine>;
  installation: string;
}

/** Types that the parts of a job's sidecars share. */
import type { ContainerCreate } from '../../../src/adapters/ports.ts';

/**
 * Environments of the sidecars in the engine's form; the only variables that are ever set as container
 * environment.
 */
export interface SideEnvironments {
  /** `files`: what the service reads from files, by the name of its variable. */
  services: { env: string[]; files: Record<string, string> }[];
  tested: string[];
  masked: string[];
}
export interface Sidecars {
  network: NonNullable<ContainerCreate['network']>;
  hosts?: string[];
  notes: string[];
  /** Resolves when all answer; rejects with `job/readiness`. */
  ready(): Promise<void>;
}
export interface SidecarRequest {
  environments: SideEnvironments;
  platform: string;
  /** Resolves when the host is recorded; no container is started before. */
  acknowledged: Promise<void>;
}

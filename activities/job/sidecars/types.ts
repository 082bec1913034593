/** What the parts of a job's sidecars share. */
import type { ContainerCreate } from '../../../src/adapters/ports.ts';

/**
 * Environments of what runs beside a job, in the form an engine takes; the only variables that ever become
 * Env.
 */
export interface SideEnvironments {
  services: string[][];
  tested: string[];
  masked: string[];
}
export interface Sidecars {
  network: NonNullable<ContainerCreate['network']>;
  hosts?: string[];
  notes: string[];
  /** Resolves when everything answers; rejects with `job/readiness`. */
  ready(): Promise<void>;
}
export interface SidecarRequest {
  environments: SideEnvironments;
  platform: string;
  /** No container is started before the host is recorded. */
  acknowledged: Promise<void>;
}

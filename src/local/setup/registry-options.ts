/** Options of the embedded registry, as a program or as a container. */
import type { LocalEngine } from './docker.ts';

export interface RegistryOptions {
  port: number;
  /** For the container, if there is no program. */
  engine: Promise<LocalEngine>;
  installation: string;
  /** Whose tokens it accepts; absent: everybody who reaches it reads and writes. */
  auth?: RegistryAuthority;
}
export interface RegistryAuthority {
  /** Address of the token service. */
  realm: string;
  /** PEM */
  certificate: string;
}

/** The certificate's file in davit's home. */
export const CERTIFICATE_NAME = 'registry-cert.pem';

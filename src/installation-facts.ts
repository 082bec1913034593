import type { ProofFacts } from './plan/model/proof.ts';
import type { Installation } from './installation.ts';

/** What the server sends to workers about the installation: no users, no secrets (references only). */
export interface InstallationFacts {
  /** UUID: part of container names and labels. */
  installation: string;
  /** Without users and workers; `registries` includes the embedded one; `helper_image` is always set. */
  config: Omit<Installation, 'users' | 'workers' | 'helper_image'> & { helper_image: string };
  /** Address of the server for people. */
  url: string;
  /** davit's own registry, for which the server has tokens. */
  ownRegistry?: {
    /** `HOST[:PORT]`, as in `config.registries`. */
    host: string;
    /** Where engines fetch tokens. */
    tokens: string;
    /** PEM of the authority that has signed its certificate; absent: it has none, or a well-known one. */
    ca?: string;
    /** Other addresses of the same registry, in names of images that were made before. */
    formerly?: readonly string[];
  };
  /** Name of the token of the worker that asked, if it has one of its own. */
  worker?: string;
  /** How messages that decide something are proven. Absent from a server of an earlier version. */
  proofs?: ProofFacts;
}

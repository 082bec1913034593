/** Options of the commands that compile the pipeline of this folder. */
import type { PlanEvent } from '../options.ts';

export interface PlanOptions {
  file?: string;
  ref?: string;
  variables?: Record<string, string>;
  /** For `spec:inputs` of the file. */
  inputs?: Record<string, string>;
  jobs?: string[];
  /** Plan for this event instead of a local run. */
  event?: PlanEvent;
  /** Explain why each job is in the pipeline or not. */
  explain?: boolean;
  /** Also warn of probable mistakes. */
  lint?: boolean;
  /** Plan for this tag. */
  tag?: string;
  /** Changed paths, instead of the ones that git reports. */
  changed?: string[];
  /** Checkouts to use for other projects of includes, by name. */
  projectPaths?: Record<string, string>;
  /** Also read GitLab's own templates, if the installation file of this machine does not say so. */
  templates?: 'gitlab';
  /** Also plan the child pipelines. */
  children?: boolean;
  /** Plan an unknown `ref` as a branch with the files of this working tree, instead of an error. */
  imagine?: boolean;
}

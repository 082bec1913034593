import type { Job } from '../context/job.ts';
import { archiveLimits } from '../../runtime/archive-limits.ts';
import type { CollectRequest } from './artifacts.ts';

/** The container and folder that a job's files are collected from, and the size limit. */
export const collectRequest = ({ deps, spec, name }: Job): Omit<CollectRequest, 'spec'> => ({
  engine: deps.engine,
  blobs: deps.blobs,
  container: name,
  projectDir: spec.projectDir,
  source: spec.source,
  limits: archiveLimits(deps.facts.config.limits),
  maxBytes: deps.facts.config.limits.artifact_bytes,
  now: deps.now,
});

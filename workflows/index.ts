/** The workflows of davit, as the bundle exports them. */
export { pipeline } from './pipeline/pipeline.ts';
export { project } from './project/project.ts';
export { status } from './commit-status.ts';

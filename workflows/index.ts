/** All workflows of davit: what the bundle exports. */
export { pipeline } from './pipeline/pipeline.ts';
export { project } from './project/project.ts';

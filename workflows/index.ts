/** All workflows of davit: what the bundle exports. */
export { pipeline } from './pipeline.ts';
export { project } from './project.ts';

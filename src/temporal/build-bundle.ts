/** `node build-bundle.ts FILE`: the workflow bundle of this code, built and written to FILE. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { CODE_EXTENSION } from '../utils/code-extension.ts';
import { INTERCEPTORS } from './bundle.ts';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: node build-bundle.ts FILE');
const { code } = await bundleWorkflowCode({
  workflowsPath: join(import.meta.dirname, '..', '..', 'workflows', `index${CODE_EXTENSION}`),
  workflowInterceptorModules: INTERCEPTORS,
  logger: new DefaultLogger('WARN'),
});
await writeFile(file, code);

/**
 * `node scripts/bundle.ts FOLDER`: builds the workflow bundle into FOLDER/bundles, where the code of an image
 * looks first.
 */
import { workflowBundle } from '../src/temporal/bundle.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node scripts/bundle.ts FOLDER');
const { codePath } = await workflowBundle(folder);
process.stdout.write(`${codePath}\n`);

/** A worker process that a test may kill: architectures as argument, everything else by environment. */
import { readSettings } from '../../src/config.ts';
import { isArch } from '../../src/plan/model/ids.ts';
import { run } from '../../workers/arch.ts';

await run({
  settings: readSettings(),
  arches: (process.argv[2] ?? 'amd64').split(',').filter(isArch),
  configFile: process.env.TEST_WORKER_CONFIG,
  onReady: () => void process.stdout.write('ready\n'),
  log: (text) => void process.stderr.write(`${text}\n`),
});

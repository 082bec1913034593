import type { KeywordInfo } from './validation/keyword.ts';
import * as run from './keywords/run.ts';
import * as typed from './keywords/davit-jobs.ts';

/** davit's own keywords, as entries of the keyword table. */
export const OWN: readonly KeywordInfo[] = [
  {
    name: 'arch',
    in: ['job', 'default'],
    status: 'davit',
    note: 'the architecture that the job runs on',
    schema: run.arch,
  },
  {
    name: 'build',
    in: ['job'],
    status: 'davit',
    note: 'builds an image on each architecture',
    schema: typed.build,
  },
  {
    name: 'apitest',
    in: ['job'],
    status: 'davit',
    note: 'runs a built image and a tester beside it',
    schema: typed.apitest,
  },
  {
    name: 'push',
    in: ['job'],
    status: 'davit',
    note: 'writes one image index for all architectures',
    schema: typed.push,
  },
  {
    name: 'deploy',
    in: ['job'],
    status: 'davit',
    note: 'deploys to a swarm and watches it',
    schema: typed.deploy,
  },
  {
    name: 'gate',
    in: ['job'],
    status: 'davit',
    note: "waits for a person's approval",
    schema: typed.gate,
  },
];

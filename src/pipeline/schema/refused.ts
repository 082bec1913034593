import type { KeywordInfo } from './keyword.ts';

/** Keywords of GitLab that need a service which davit is not and has no client for: an error by name, with the reason. */
export const REFUSED: readonly KeywordInfo[] = [
  {
    name: 'secrets',
    in: ['job'],
    status: 'refused',
    note: 'davit has no client for vaults and secret managers',
    hint: 'Make it a variable of the project whose value is `secret: env:NAME` or `secret: file:PATH`; `file: true` gives the job its path.',
  },
  {
    name: 'id_tokens',
    in: ['job', 'default'],
    status: 'refused',
    note: 'davit issues no identity tokens, so nobody could verify them',
    hint: 'Give the job credentials as a masked, protected variable of the project.',
  },
  {
    name: 'identity',
    in: ['job', 'default'],
    status: 'refused',
    note: 'it takes identity tokens, which davit does not issue',
    hint: 'Give the job credentials as a masked, protected variable of the project.',
  },
  {
    name: 'run',
    in: ['job'],
    status: 'refused',
    note: "steps are run by a program of GitLab's that davit has not",
    hint: 'Write the commands of its steps as script.',
  },
  {
    name: 'dast_configuration',
    in: ['job'],
    status: 'refused',
    note: "it names profiles that are kept in GitLab's own scanner",
    hint: 'Give the scanner its settings as variables.',
  },
  {
    name: 'inputs',
    in: ['job'],
    status: 'refused',
    note: 'its values are asked for when one job is played or retried, and davit plays and retries jobs as they are',
    hint: 'Use spec:inputs in the header of the file, or variables.',
  },
];

import type { KeywordInfo } from './validation/keyword.ts';

/** Keywords of GitLab that need a service that davit does not provide: each is an error with the reason. */
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
    note: 'davit does not issue identity tokens',
    hint: 'Give the job credentials as a masked, protected variable of the project.',
  },
  {
    name: 'identity',
    in: ['job', 'default'],
    status: 'refused',
    note: 'it needs identity tokens, which davit does not issue',
    hint: 'Give the job credentials as a masked, protected variable of the project.',
  },
  {
    name: 'run',
    in: ['job'],
    status: 'refused',
    note: 'GitLab runs steps with a program of its own, which davit does not have',
    hint: 'Write the commands of its steps as script.',
  },
  {
    name: 'dast_configuration',
    in: ['job'],
    status: 'refused',
    note: "it names profiles of GitLab's own scanner",
    hint: 'Give the scanner its settings as variables.',
  },
  {
    name: 'inputs',
    in: ['job'],
    status: 'refused',
    note: 'GitLab prompts for its values when a job is started or retried; davit starts and retries jobs unchanged',
    hint: 'Use spec:inputs in the header of the file, or variables.',
  },
];

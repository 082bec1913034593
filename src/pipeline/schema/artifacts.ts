import { z } from 'zod';
import { parseDuration } from '../../plan/duration.ts';
import { name, projectPath, stringOrList } from './common.ts';

/** `never` or a duration; `{}` is `never`. */
const expireIn = z.union([z.string(), z.number()]).transform((value, context) => {
  if (value === 'never') return { ms: undefined };
  const ms = parseDuration(String(value));
  if (ms === undefined)
    context.addIssue({
      code: 'custom',
      message: `must be "never" or a duration like 30s, 5 min or 7 days, not "${value}"`,
    });
  return { ms };
});

const files = stringOrList.pipe(z.array(projectPath)).optional();
/** Every kind that GitLab has. davit reads junit and dotenv; the others are kept for whoever asks for them. */
export const REPORTS = [
  'accessibility',
  'annotations',
  'browser_performance',
  'codequality',
  'container_scanning',
  'cyclonedx',
  'dast',
  'dependency_scanning',
  'junit',
  'license_management',
  'license_scanning',
  'load_performance',
  'lsif',
  'metrics',
  'repository_xray',
  'requirements',
  'sarif',
  'sast',
  'secret_detection',
  'terraform',
] as const;
const reports = z.strictObject({
  dotenv: files,
  accessibility: files,
  annotations: files,
  browser_performance: files,
  codequality: files,
  container_scanning: files,
  cyclonedx: files,
  dast: files,
  dependency_scanning: files,
  junit: files,
  license_management: files,
  license_scanning: files,
  load_performance: files,
  lsif: files,
  metrics: files,
  repository_xray: files,
  requirements: files,
  sarif: files,
  sast: files,
  secret_detection: files,
  terraform: files,
  coverage_report: z
    .strictObject({ coverage_format: z.enum(['cobertura', 'jacoco']), path: projectPath })
    .nullish(),
});

export const artifacts = z.strictObject({
  paths: z.array(projectPath).optional(),
  exclude: z.array(projectPath).optional(),
  expire_in: expireIn.optional(),
  name: name.optional(),
  when: z.enum(['on_success', 'on_failure', 'always']).optional(),
  untracked: z.boolean().optional(),
  reports: reports.optional(),
  expose_as: z
    .string()
    .max(100, 'must not be longer than 100 characters')
    .regex(/^[\w -]+$/, 'can contain letters, digits, "_", "-" and spaces only')
    .optional(),
  access: z.enum(['all', 'developer', 'maintainer', 'none']).optional(),
  public: z.boolean().optional(),
});

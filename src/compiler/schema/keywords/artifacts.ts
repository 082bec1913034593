import { z } from 'zod';
import { parseDuration } from '../../../plan/model/duration.ts';
import { stringOrList } from './common.ts';

/** `never` or a duration; `{}` is `never`. */
const expireIn = z.string().transform((value, context) => {
  if (/^never$/i.test(value)) return { ms: undefined };
  const ms = parseDuration(value);
  if (ms === undefined || ms <= 0)
    context.addIssue({
      code: 'custom',
      message: `must be "never" or a duration like 30s, 5 min or 7 days, not "${value}"`,
    });
  return { ms };
});

/** Checked for leading out of the project after its variables are expanded. */
const path = z.string().min(1, 'must not be empty');
const files = stringOrList.pipe(z.array(path)).optional();
/** Every kind that GitLab has. davit reads junit and dotenv; the others are only stored. */
export const REPORTS = [
  'accessibility',
  'annotations',
  'api_fuzzing',
  'browser_performance',
  'cluster_image_scanning',
  'codequality',
  'container_scanning',
  'coverage_fuzzing',
  'cyclonedx',
  'dast',
  'dependency_scanning',
  'junit',
  'license_management',
  'license_scanning',
  'load_performance',
  'lsif',
  'metrics',
  'performance',
  'repository_xray',
  'requirements',
  'requirements_v2',
  'sarif',
  'sast',
  'secret_detection',
  'terraform',
] as const;
const reports = z.strictObject({
  dotenv: files,
  accessibility: files,
  annotations: files,
  api_fuzzing: files,
  browser_performance: files,
  cluster_image_scanning: files,
  codequality: files,
  container_scanning: files,
  coverage_fuzzing: files,
  cyclonedx: files,
  dast: files,
  dependency_scanning: files,
  junit: files,
  license_management: files,
  license_scanning: files,
  load_performance: files,
  lsif: files,
  metrics: files,
  performance: files,
  repository_xray: files,
  requirements: files,
  requirements_v2: files,
  sarif: files,
  sast: files,
  secret_detection: files,
  terraform: files,
  coverage_report: z.strictObject({ coverage_format: z.enum(['cobertura', 'jacoco']), path }).nullish(),
});

const keywords = z.strictObject({
  paths: z.array(path).optional(),
  exclude: z.array(path).optional(),
  expire_in: expireIn.optional(),
  name: z.string().optional(),
  when: z.enum(['on_success', 'on_failure', 'always']).optional(),
  untracked: z.boolean().optional(),
  reports: reports.optional(),
  expose_as: z
    .string()
    .max(100, 'must not be longer than 100 characters')
    .regex(/^[\w -]+$/, 'can contain only letters, digits, "_", "-" and spaces')
    .optional(),
  access: z.enum(['all', 'developer', 'maintainer', 'none']).optional(),
  public: z.boolean().optional(),
});

/** GitLab: exposed paths must not have wildcards, and only one of access and public is allowed. */
export const artifacts = keywords.superRefine(({ expose_as, paths, access, ...rest }, context) => {
  if (access !== undefined && rest.public !== undefined)
    context.addIssue({
      code: 'custom',
      message: 'cannot be used together with access: keep one',
      path: ['public'],
    });
  if (expose_as === undefined) return;
  const wrong = paths?.some((path) => path.includes('*')) ? 'a "*"' : undefined;
  if (wrong || !paths?.length)
    context.addIssue({
      code: 'custom',
      message: wrong
        ? `must not contain ${wrong} together with expose_as`
        : 'must not be empty together with expose_as',
      path: ['paths'],
    });
});

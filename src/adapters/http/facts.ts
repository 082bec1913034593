/** The installation's facts as a server tells them, which may be older or newer than this worker. */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { installationSchema, projectSchema, targetSchema, type InstallationFacts } from '../../installation.ts';

const told = z.looseObject({
  installation: z.string(),
  url: z.string(),
  config: z.looseObject({
    helper_image: z.string(),
    projects: z.array(z.looseObject({ name: z.string() })),
    targets: z.array(z.looseObject({ name: z.string() })).optional(),
    limits: z.looseObject({}),
    includes: z.looseObject({}).optional(),
    reconcile: z.looseObject({}).optional(),
  }),
});

/**
 * What a server does not tell, because it is older, has the value of an installation file that says nothing of it. Not so
 * `reconcile`: such a server does not keep what the reconciler needs, so nothing is looked at until it is upgraded. Durations
 * are ms already. Throws `internal/defect` for what are no facts.
 */
export function readFacts(value: unknown): InstallationFacts {
  const parsed = told.safeParse(value);
  if (!parsed.success)
    throw new DavitError('internal/defect', 'The server told facts of no form that this version knows.', {
      cause: parsed.error,
    });
  const { config, ...rest } = parsed.data;
  const { users: _users, reconcile, ...defaults } = installationSchema.parse({});
  const project = projectSchema.parse({ name: 'any', reconcile: false });
  const target = targetSchema.parse({ name: 'any' });
  const facts: unknown = {
    ...rest,
    config: {
      ...defaults,
      ...config,
      ...(config.reconcile && { reconcile: { ...reconcile, ...config.reconcile } }),
      limits: { ...defaults.limits, ...config.limits },
      includes: { ...defaults.includes, ...config.includes },
      projects: config.projects.map((one) => ({ ...project, ...one })),
      targets: config.targets?.map((one) => ({ ...target, ...one })) ?? [],
    },
  };
  // The rest was checked by the server, against this schema or that of its own version.
  return facts as InstallationFacts;
}

/** The installation's facts from a server, which may be older or newer than this worker. */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { installationSchema, projectSchema, targetSchema } from '../../installation.ts';
import type { InstallationFacts } from '../../installation-facts.ts';

const factsSchema = z.looseObject({
  installation: z.string(),
  url: z.string(),
  config: z.looseObject({
    helper_image: z.string(),
    projects: z.array(z.looseObject({ name: z.string() })),
    targets: z.array(z.looseObject({ name: z.string() })).optional(),
    limits: z.looseObject({}),
    includes: z.looseObject({}).optional(),
    listen: z.looseObject({}).optional(),
    reconcile: z.looseObject({}).optional(),
  }),
});

/**
 * A fact that an older server does not send gets the value that an installation file without the setting has.
 * `reconcile` is the exception: an older server does not keep what the reconciler needs, so nothing is
 * reconciled until it is upgraded. Durations are ms already. Throws `internal/defect` if the value is not an
 * object of facts.
 */
export function readFacts(value: unknown): InstallationFacts {
  const parsed = factsSchema.safeParse(value);
  if (!parsed.success)
    throw new DavitError(
      'internal/defect',
      'The server sent facts in a format that this version does not know.',
      {
        cause: parsed.error,
      },
    );
  const { config, ...rest } = parsed.data;
  const { users: _users, workers: _workers, reconcile, ...defaults } = installationSchema.parse({});
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
      listen: { ...defaults.listen, ...config.listen },
      projects: config.projects.map((one) => ({ ...project, ...one })),
      targets: config.targets?.map((one) => ({ ...target, ...one })) ?? [],
    },
  };
  // The server has validated the rest, against this schema or that of its own version.
  return facts as InstallationFacts;
}

/** Schema of `includes` in the installation file. What it returns is also what it reads. */
import { z } from 'zod';

/**
 * Where GitLab's own templates are read from, and of which version: a tag, so that a template never changes. GitLab's
 * documentation names a template of a version so ("Include a template", versioned: `/-/raw/vX.Y.Z-ee/lib/gitlab/ci/templates/…`).
 */
const GITLAB = {
  from: 'gitlab',
  ref: 'v18.0.0-ee',
  url: 'https://gitlab.com/gitlab-org/gitlab/-/raw',
} as const;

const templates = z.union([
  z.literal('gitlab').transform(() => ({ ...GITLAB, integrity: {} as Record<string, string> })),
  z.strictObject({
    from: z.literal('gitlab'),
    /** A tag or a full commit, whose files are kept; files of a branch are fetched for every pipeline. */
    ref: z
      .string()
      .regex(/^[A-Za-z0-9][\w.-]*$/, 'must be a tag, a commit or a branch without slashes')
      .default(GITLAB.ref),
    /** Raw files of gitlab-org/gitlab or of a copy of it. */
    url: z.url({ protocol: /^https$/, error: 'must be an https address' }).default(GITLAB.url),
    /** Hashes that templates must have, by name. */
    integrity: z
      .record(z.string(), z.string().regex(/^sha256-[A-Za-z0-9+/]{43}=$/, 'must be sha256-BASE64'))
      .default({}),
  }),
]);
export type GitlabTemplates = z.output<typeof templates>;

/** What `templates: gitlab` means. */
export const gitlabTemplates = (): GitlabTemplates => templates.parse('gitlab');

/** What `include` can reach apart from the projects of the file. */
export const includesSchema = z
  .strictObject({
    /** `HOST` or `HOST:PORT` that `remote` may fetch from although their addresses are private. */
    allow_hosts: z.array(z.string()).default([]),
    /** If given, `remote` fetches from these hosts alone; `*` matches any text. */
    only_hosts: z.array(z.string()).optional(),
    /** PEM of additional authorities, on the machine of the control worker. */
    ca_file: z.string().optional(),
    /** Other projects at the including project's forge, read with its clone_token: `team/*`. */
    forge_projects: z.array(z.string()).default([]),
    /** Whether `template` also names GitLab's own. */
    templates: templates.optional(),
  })
  .prefault({});

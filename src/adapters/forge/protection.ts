/**
 * Reads the branches and tags that a forge protects. A rule counts if it limits who may push: a rule that only
 * forbids force pushes leaves the ref open to everyone with write access.
 *
 * - GitLab: every entry of `protected_branches` and `protected_tags`, whose levels say who may push.
 * - Gitea: rules of `branch_protections` that do not let every writer push, in the order in which Gitea applies
 *   them; all of `tag_protections`.
 * - GitHub: `branches?protected=true`, except branches whose only protection is a ruleset that leaves pushing open;
 *   tags by active rulesets that restrict both creation and updates.
 *
 * Rejects with `forge/away`, or with `forge/refused` if the answer is not a complete list.
 */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { forgeProtects, type ForgeProtection, type ForgeRefPattern } from '../../match/forge-refs.ts';
import { apiUrl, headersOf, type ForgeProject } from './project-api.ts';
import { reasonIn, type ForgeCall, type ForgeResponse } from './send.ts';

export type SendCall = (call: ForgeCall) => Promise<ForgeResponse>;

const PAGE = 100;
/** A project with more pages than this is not read. */
const MAX_PAGES = 20;

export async function readProtection(
  project: ForgeProject,
  send: SendCall,
  token: string,
): Promise<ForgeProtection> {
  const api: Api = { project, send, headers: headersOf(project, token) };
  switch (project.kind) {
    case 'gitlab':
      return gitlab(api);
    case 'gitea':
      return gitea(api);
    case 'github':
      return github(api);
  }
}

interface Api {
  project: ForgeProject;
  send: SendCall;
  headers: Record<string, string>;
}

const gitlabEntries = z.array(z.object({ name: z.string() }));

async function gitlab(api: Api): Promise<ForgeProtection> {
  const [branches, tags] = await Promise.all([
    pages(api, 'protected_branches', gitlabEntries),
    pages(api, 'protected_tags', gitlabEntries),
  ]);
  const patterns = (entries: z.output<typeof gitlabEntries>): ForgeRefPattern[] =>
    entries.map(({ name }) => ({ written: name, syntax: 'wildcard' }));
  return { branches: patterns(branches), tags: patterns(tags) };
}

const giteaBranches = z.array(
  z.object({
    rule_name: z.string().optional(),
    branch_name: z.string().optional(),
    enable_push: z.boolean(),
    enable_push_whitelist: z.boolean(),
  }),
);
const giteaTags = z.array(z.object({ name_pattern: z.string() }));

async function gitea(api: Api): Promise<ForgeProtection> {
  const [rules, tags] = await Promise.all([
    pages(api, 'branch_protections', giteaBranches),
    pages(api, 'tag_protections', giteaTags),
  ]);
  const branches: ForgeRefPattern[] = [];
  const open: ForgeRefPattern[] = [];
  // The first rule that matches is the one that counts.
  for (const rule of rules) {
    const pattern: ForgeRefPattern = { written: rule.rule_name || rule.branch_name || '', syntax: 'path' };
    if (rule.enable_push && !rule.enable_push_whitelist) open.push(pattern);
    else branches.push({ ...pattern, ...(open.length > 0 && { except: [...open] }) });
  }
  const syntaxOf = (text: string) => (/^\/.*\/$/s.test(text) && text.length > 1 ? 'regex' : 'text');
  return {
    branches,
    tags: tags.map(({ name_pattern: written }) => ({ written, syntax: syntaxOf(written) })),
  };
}

const githubBranches = z.array(
  z.object({
    name: z.string(),
    /** `enabled` false: no branch protection rule, rulesets alone. */
    protection: z.object({ enabled: z.boolean().optional() }).optional(),
  }),
);
const githubRulesets = z.array(
  z.object({ id: z.number(), target: z.string().optional(), enforcement: z.string() }),
);
const githubRuleset = z.object({
  target: z.string(),
  enforcement: z.string(),
  conditions: z
    .object({
      ref_name: z.object({ include: z.array(z.string()), exclude: z.array(z.string()) }).optional(),
    })
    .nullish(),
  rules: z.array(z.object({ type: z.string() })).default([]),
});
type Ruleset = z.output<typeof githubRuleset>;
const githubRepository = z.object({ default_branch: z.string() });

async function github(api: Api): Promise<ForgeProtection> {
  const [named, listed, { default_branch }] = await Promise.all([
    pages(api, 'branches?protected=true', githubBranches),
    pages(api, 'rulesets?includes_parents=true', githubRulesets),
    one(api, '', githubRepository),
  ]);
  const rulesets: Ruleset[] = [];
  for (const { id, enforcement } of listed)
    if (enforcement === 'active') rulesets.push(await one(api, `rulesets/${id}`, githubRuleset));
  const of = (target: string, limits: (types: readonly string[]) => boolean) =>
    rulesets
      .filter((set) => set.target === target)
      .filter((set) => limits(set.rules.map(({ type }) => type)))
      .flatMap((set) => rulesetPatterns(set, default_branch));
  const every = of('branch', () => true);
  const limiting = of('branch', (types) => types.includes('update') || types.includes('pull_request'));
  const isOpen = ({ name, protection }: (typeof named)[number]): boolean =>
    protection?.enabled !== true &&
    forgeProtects(every, name) !== 'unprotected' &&
    forgeProtects(limiting, name) !== 'protected';
  return {
    branches: named.filter((one) => !isOpen(one)).map(({ name }) => ({ written: name, syntax: 'name' })),
    tags: of('tag', (types) => types.includes('creation') && types.includes('update')),
  };
}

function rulesetPatterns({ conditions }: Ruleset, defaultBranch: string): ForgeRefPattern[] {
  const pattern = (text: string): ForgeRefPattern => {
    if (text === '~ALL') return { written: text, syntax: 'all' };
    if (text === '~DEFAULT_BRANCH') return { written: defaultBranch, syntax: 'name' };
    return { written: text.replace(/^refs\/(heads|tags)\//, ''), syntax: 'fnmatch' };
  };
  const { include = [], exclude = [] } = conditions?.ref_name ?? {};
  const except = exclude.map(pattern);
  return include.map((text) => ({ ...pattern(text), ...(except.length > 0 && { except }) }));
}

/** The page's number is counted here: an address that the forge names could lead the token elsewhere. */
async function pages<T>(api: Api, path: string, schema: z.ZodType<T[]>): Promise<T[]> {
  const all: T[] = [];
  for (let page = 1; page <= MAX_PAGES; page++) {
    const answer = await get(api, `${path}${path.includes('?') ? '&' : '?'}per_page=${PAGE}&page=${page}`);
    all.push(...read(api, answer, { path, schema }));
    if (!answer.more) return all;
  }
  throw refused(api, path, `has more than ${MAX_PAGES} pages`);
}

const one = async <T>(api: Api, path: string, schema: z.ZodType<T>): Promise<T> =>
  read(api, await get(api, path), { path: path || 'the repository', schema });

const get = ({ project, send, headers }: Api, path: string): Promise<ForgeResponse> =>
  send({ method: 'GET', url: apiUrl(project, path).replace(/\/$/, ''), headers });

function read<T>(
  api: Api,
  { status, body }: ForgeResponse,
  { path, schema }: { path: string; schema: z.ZodType<T> },
): T {
  if (status < 200 || status > 299) throw refused(api, path, `was answered with ${status}${reasonIn(body)}`);
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw refused(api, path, 'has another form than davit knows');
  return parsed.data;
}

function refused({ project }: Api, path: string, what: string): DavitError {
  const name = path.replace(/\?.*/, '');
  return new DavitError(
    'forge/refused',
    `${name} of ${project.repository} at ${new URL(project.url).host} ${what}.`,
    { hint: HINTS[project.kind] },
  );
}

const HINTS = {
  gitlab: 'forge_token needs the scope read_api (or api) and at least the role Developer in the project.',
  gitea: 'forge_token needs the scope read:repository, of a user who is an administrator of the repository.',
  github: 'forge_token needs to read metadata and administration of the repository.',
} as const;

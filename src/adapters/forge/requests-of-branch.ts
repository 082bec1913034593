/** Open merge requests of a branch, as the API of each forge lists them. */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { apiUrl, headersOf, type ForgeProject } from './project-api.ts';
import { reasonIn, type ForgeCall, type ForgeResponse } from './send.ts';

/** GitLab's limit of CI_OPEN_MERGE_REQUESTS. */
const MAX_SHOWN = 4;
const PAGE = 50;
/** Gitea lists those of all branches. */
const MAX_PAGES = 6;

const gitlabRequests = z.array(
  z.object({
    iid: z.number(),
    source_branch: z.string(),
    source_project_id: z.number().nullish(),
    target_project_id: z.number(),
  }),
);
const side = z.object({ ref: z.string(), repo: z.object({ id: z.number() }).nullish() });
const pulls = z.array(z.object({ number: z.number(), head: side, base: side }));

/**
 * Those from a branch of the project itself, `group/project!3`. Rejects with `forge/away`, and with `forge/refused` after any
 * other answer than a list.
 */
export async function requestsOfBranch(
  { project, token }: { project: ForgeProject; token: string },
  branch: string,
  send: (call: ForgeCall) => Promise<ForgeResponse>,
): Promise<string[]> {
  const get = async <T>(query: string, schema: z.ZodType<T>): Promise<{ list: T; more: boolean }> => {
    const path = project.kind === 'gitlab' ? 'merge_requests' : 'pulls';
    const url = `${apiUrl(project, path)}?${query}`;
    const answer = await send({ method: 'GET', url, headers: headersOf(project, token) });
    const list = schema.safeParse(answer.body);
    if (answer.status === 200 && list.success) return { list: list.data, more: answer.more };
    throw new DavitError(
      'forge/refused',
      `The forge at ${answer.host} responded with ${answer.status} to the question for merge requests${reasonIn(answer.body)}.`,
    );
  };
  const named = (numbers: readonly number[]): string[] =>
    numbers.slice(0, MAX_SHOWN).map((number) => `${project.repository}!${number}`);
  const own = ({ head, base }: z.output<typeof pulls>[number]): boolean =>
    head.ref === branch && head.repo?.id !== undefined && head.repo.id === base.repo?.id;
  const text = encodeURIComponent(branch);
  switch (project.kind) {
    case 'gitlab': {
      const { list } = await get(`state=opened&source_branch=${text}&per_page=${PAGE}`, gitlabRequests);
      return named(
        list
          .filter((one) => one.source_branch === branch && one.source_project_id === one.target_project_id)
          .map(({ iid }) => iid),
      );
    }
    case 'github': {
      const owner = project.repository.split('/')[0] ?? '';
      const { list } = await get(
        `state=open&head=${encodeURIComponent(owner)}:${text}&per_page=${PAGE}`,
        pulls,
      );
      return named(list.filter(own).map(({ number }) => number));
    }
    case 'gitea': {
      const found: number[] = [];
      for (let page = 1; page <= MAX_PAGES; page++) {
        const { list, more } = await get(`state=open&limit=${PAGE}&page=${page}`, pulls);
        found.push(...list.filter(own).map(({ number }) => number));
        if (!more || found.length >= MAX_SHOWN) break;
      }
      return named(found);
    }
  }
}

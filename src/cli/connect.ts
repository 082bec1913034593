/**
 * Finds the server (DAVIT_SERVER, else the one of this machine), and the pipeline that an argument refers to.
 */
import { readFile } from 'node:fs/promises';
import { DavitError } from '../errors.ts';
import { findNamedProject } from './local/project-name.ts';
import { readRunFile } from '../local/process/run-file.ts';
import { parsePipelineId, pipelineId, type PipelineId } from '../plan/model/ids.ts';
import type { ApiClient } from './client/api-client.ts';
import type { Cli } from './cli.ts';

/** Rejects with `local/not-up` or `cli/no-token`. */
export async function connect(cli: Cli): Promise<ApiClient> {
  const url = cli.settings.serverUrl ?? (await readRunFile(cli.settings))?.server;
  if (!url)
    throw new DavitError(
      'local/not-up',
      'davit is not running on this machine, and DAVIT_SERVER is not set.',
    );
  const token = await userToken(cli);
  // Loaded on demand: commands that need no server start faster without it.
  const { ApiClient } = await import('./client/api-client.ts');
  return new ApiClient(url, token);
}

/** Rejects with `cli/no-token`. */
export async function userToken(cli: Cli): Promise<string> {
  const { token, tokenFile } = cli.settings;
  const text = token ?? (await readIfThere(tokenFile));
  const trimmed = text?.trim();
  if (!trimmed)
    throw new DavitError('cli/no-token', `There is no token: ${tokenFile} is missing, unreadable or empty.`);
  if (!/^[\x21-\x7e]+$/.test(trimmed))
    throw new DavitError('cli/no-token', 'The token contains characters that are not allowed in a token.');
  return trimmed;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined; // missing or unreadable: the caller says what to do
  }
}

/** Calls the server, and closes its connections. */
export async function withServer<T>(cli: Cli, work: (client: ApiClient) => Promise<T>): Promise<T> {
  const client = await connect(cli);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/**
 * Accepts `SLUG/IID`, or `IID` of this folder's project. Without text: the latest pipeline of the project,
 * else of all.
 */
export async function resolveId(cli: Cli, client: ApiClient, text?: string): Promise<PipelineId> {
  if (text === undefined) return latest(cli, client);
  const whole = parsePipelineId(text);
  if (whole) return pipelineId(whole.slug, whole.iid);
  if (/^[1-9]\d*$/.test(text)) return pipelineId((await findNamedProject(cli, cli.cwd)).slug, Number(text));
  throw new DavitError(
    'usage/invalid',
    `"${text}" is not a pipeline id. Write PROJECT/NUMBER, for example table/3.`,
    {
      hint: '`davit pipelines` lists them.',
    },
  );
}

async function latest(cli: Cli, client: ApiClient): Promise<PipelineId> {
  const { slug } = await findNamedProject(cli, cli.cwd);
  const [here] = await client.pipelines({ project: slug, limit: 1 });
  const [any] = here ? [here] : await client.pipelines({ limit: 1 });
  if (!any)
    throw new DavitError('not-found', 'There is no pipeline yet.', { hint: 'Start one with `davit run`.' });
  return any.id;
}

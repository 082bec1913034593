/** Requests a pipeline of a ref at the forge, or of an ended pipeline again: no working tree takes part. */
import { randomUUID } from 'node:crypto';
import type { PipelineId } from '../../plan/model/ids.ts';
import type { StartResponse } from '../../server/api.ts';
import type { ApiClient } from '../client/api-client.ts';
import type { Cli } from '../cli.ts';
import { connect, resolveId } from '../connect.ts';
import { findNamedProject } from '../local/project-name.ts';
import { requestPipeline, type Started, type Until } from './start.ts';

export interface RequestOptions {
  /** Default: the project of this folder. */
  project?: string | undefined;
  /** Default: the default branch. */
  ref?: string | undefined;
  variables?: Record<string, string> | undefined;
  inputs?: Record<string, string> | undefined;
  /** The ended pipeline to run again; the fields above are then its own. */
  again?: string | undefined;
}

/** The caller closes the client. */
export async function requestStart(cli: Cli, options: RequestOptions & Until): Promise<Started> {
  const client = await connect(cli);
  try {
    const send = await senderOf(cli, client, options);
    return { client, id: await requestPipeline(cli, { ...options, client, send }) };
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Without following it. */
export async function startDetached(
  cli: Cli,
  options: RequestOptions,
): Promise<{ id: PipelineId; page: string }> {
  const { signal } = new AbortController();
  const { client, id } = await requestStart(cli, { ...options, signal, letGo: signal });
  client.close();
  return { id, page: `${client.url}/pipelines/${id}` };
}

async function senderOf(
  cli: Cli,
  client: ApiClient,
  { signal, ...options }: RequestOptions & Until,
): Promise<() => Promise<StartResponse>> {
  const key = `request:${randomUUID()}`;
  const { ref, variables, inputs } = options;
  if (options.again !== undefined) {
    const id = await resolveId(cli, client, options.again);
    return () => client.again(id, { key }, signal);
  }
  const project = options.project ?? (await findNamedProject(cli, cli.cwd)).slug;
  return () => client.start(project, { key, ref, variables, inputs, source: 'api' }, signal);
}

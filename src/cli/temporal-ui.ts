/** Links into Temporal's UI, where its address is known: the installation file has it, or `davit up` has started it. */
import { readRunFile, uiOfRun } from '../local/process/run-file.ts';
import type { PipelineId } from '../plan/model/ids.ts';
import { pipelineLink, SEARCHES, searchLink, type TemporalUi } from '../plan/policy/temporal-links.ts';
import type { Cli } from './cli.ts';
import type { ApiClient } from './client/api-client.ts';

/** Never rejects: what it is for can be shown without a link. */
export async function findTemporalUi(
  { settings }: Pick<Cli, 'settings'>,
  client: Pick<ApiClient, 'temporal'>,
): Promise<TemporalUi | undefined> {
  try {
    const { ui, namespace } = await client.temporal();
    if (ui !== undefined) return { address: ui, namespace };
  } catch {
    // The server is away, or older than this command: the UI of this machine is known without it.
  }
  return settings.serverUrl === undefined ? uiOfRun(await readRunFile(settings)) : undefined;
}

export function linksText(ui: TemporalUi, id: PipelineId): string {
  const links = [
    ['this pipeline', pipelineLink(ui, id)],
    ...Object.values(SEARCHES).map(({ title, query }) => [title, searchLink(ui, query)]),
  ];
  return `\nIn Temporal's UI:\n${links.map(([title = '', link]) => `  ${title.padEnd(18)}  ${link}\n`).join('')}`;
}

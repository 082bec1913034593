/**
 * Removes logs of pipelines that ended long ago. Their record has to say that they ended before `logsBefore`, and nobody may
 * have written to their logs since `before`: a pipeline that was retried after its end is open again.
 */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { pipelineRecordName } from '../../plan/model/records.ts';
import { pipelineId } from '../../plan/model/ids.ts';
import type { CollectRequest } from '../ports.ts';
import { entries, filesBelow, jsonBlob } from './collect.ts';

const ended = z.object({ summary: z.object({ endedAt: z.number() }) });

export async function collectLogs(
  folder: string,
  request: CollectRequest & { logsBefore: number },
): Promise<{ pipelines: number; bytes: number }> {
  const removed = { pipelines: 0, bytes: 0 };
  const logs = join(folder, 'logs');
  for (const project of await entries(logs))
    for (const number of await entries(join(logs, project.name))) {
      const path = join(logs, project.name, number.name);
      if (!/^[1-9]\d*$/.test(number.name)) continue;
      const record = pipelineRecordName(pipelineId(project.name, Number(number.name)));
      const known = ended.safeParse(await jsonBlob(join(folder, 'records', `${record}~.json`)));
      if (!known.success || known.data.summary.endedAt >= request.logsBefore) continue;
      const found = await Promise.all((await filesBelow(path)).map((file) => stat(file)));
      if (found.some(({ mtimeMs }) => mtimeMs >= request.before)) continue;
      if (!request.dryRun) await rm(path, { recursive: true, force: true });
      removed.pipelines += 1;
      removed.bytes += found.reduce((sum, { size }) => sum + size, 0);
    }
  return removed;
}

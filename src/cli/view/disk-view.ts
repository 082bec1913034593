/** What `davit disk` prints. Pure. */
import type { DiskUsage, ProjectImages, ProjectUsage, ShownImages } from '../../adapters/ports.ts';
import type { BuildCacheReport, WorkerReport } from '../../plan/model/queues.ts';
import { table, type Cell } from './table.ts';
import { sizeText } from '../../utils/size-text.ts';

export interface DiskView {
  usage: DiskUsage;
  /** Text: why they are not known. */
  images: ShownImages | string;
  workers: readonly Pick<WorkerReport, 'hostId' | 'hostName' | 'buildCache'>[];
  /** Bytes that the next collection removes. */
  removable: number;
}

export function diskText({ usage, images, workers, removable }: DiskView, color: boolean): string {
  const own = typeof images === 'string' ? undefined : images.own;
  const none = { logs: 0, sources: 0, artifacts: 0, caches: 0, others: 0 };
  const names = new Set([...usage.projects, ...(own?.projects ?? [])].map(({ project }) => project));
  const rows = [...names].map((project) => ({
    stored: usage.projects.find((one) => one.project === project) ?? { project, ...none },
    pushed: own?.projects.find((one) => one.project === project),
  }));
  rows.sort((a, b) => bytesOf(b) - bytesOf(a));
  const body = rows.map((row): (string | Cell)[] => [
    { text: row.stored.project, paint: 'bold' },
    ...cells(row),
  ]);
  return [
    table(HEAD, body, color),
    `Named by no ended pipeline: ${sizeText(usage.rest)}. The next collection removes ${sizeText(removable)}.\n`,
    imagesText(images),
    buildCacheText(workers),
  ].join('');
}

interface Row {
  stored: ProjectUsage;
  /** Absent: it has none, or they are not known. */
  pushed: ProjectImages | undefined;
}
const HEAD = ['PROJECT', 'LOGS', 'SOURCES', 'ARTIFACTS', 'CACHES', 'OTHER', 'IMAGES', 'BUILD CACHE', 'TOTAL'];

function cells(row: Row): string[] {
  const { logs, sources, artifacts, caches, others } = row.stored;
  const { images = 0, pipelines = 0, caches: layers = 0 } = row.pushed ?? {};
  return [logs, sources, artifacts, caches, others, images + pipelines, layers, bytesOf(row)].map(sizeText);
}

const bytesOf = ({ stored, pushed }: Row): number =>
  stored.logs + stored.sources + stored.artifacts + stored.caches + stored.others + (pushed?.bytes ?? 0);

function imagesText(images: ShownImages | string): string {
  if (typeof images === 'string') return `Images are not counted: ${images}\n`;
  const { own, others } = images;
  const lines: string[] = [];
  if (own) {
    const shared = own.projects.reduce((all, { bytes }) => all + bytes, 0) - own.total;
    const note = shared > 0 ? `, ${sizeText(shared)} less than the sum: projects share layers` : '';
    lines.push(`Images and layers at ${own.registry}: ${sizeText(own.total)}${note}.`);
    if (!own.complete) lines.push('It has more than was counted.');
  }
  if (others.length > 0)
    lines.push(
      `Images at ${others.join(', ')} are not counted: a registry that is not davit's does not say what is davit's.`,
    );
  return lines.map((line) => `${line}\n`).join('');
}

/** Each engine once, although several workers may use it, and one of them may not have measured yet. */
export function buildCachesOf(
  workers: DiskView['workers'],
): ({ hostId: string; hostName: string } & BuildCacheReport)[] {
  const found = workers.flatMap(({ hostId, hostName, buildCache }) =>
    buildCache ? [{ hostId, hostName, ...buildCache }] : [],
  );
  return [...new Map(found.map((one) => [one.hostId, one])).values()];
}

/** A cache has no owner, so no project is named. */
function buildCacheText(workers: DiskView['workers']): string {
  const lines = buildCachesOf(workers).flatMap(({ hostName, bytes, unusedBytes, maxBytes }) => {
    const bound = maxBytes === undefined ? 'no bound' : `at most ${sizeText(maxBytes)}`;
    return [
      `Build cache of ${hostName}: ${sizeText(bytes)}, ${sizeText(unusedBytes)} of it unused; ${bound}.\n`,
    ];
  });
  return lines.join('');
}

/** Warnings of a job that came after the end of its log: a release or a site is made once the script has ended. */
import { OWN_LINE } from '../../plan/model/log-mark.ts';
import type { PipelineStatus } from '../../plan/model/protocol.ts';

/** The job's own warnings are the last lines of its log. */
const TAIL = 64 * 1_024;

export class LateWarnings {
  #tail = '';

  push(text: string): void {
    this.#tail = (this.#tail + text).slice(-TAIL);
  }

  /** As lines of a log; none for another attempt than the last. */
  lines({ jobs }: Pick<PipelineStatus, 'jobs'>, of: { job: string; attempt?: number | undefined }): string {
    const job = jobs.find(({ key }) => key === of.job);
    if (!job || (of.attempt !== undefined && of.attempt !== job.attempt)) return '';
    const late = (job.result?.warnings ?? []).filter((text) => !this.#tail.includes(text));
    return late.map((text) => `${OWN_LINE}WARNING: ${text.replace(/\s*\n\s*/g, ' ')}\n`).join('');
  }
}

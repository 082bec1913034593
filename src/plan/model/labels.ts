/**
 * Labels of everything that davit makes on an engine. A container inherits the labels of its image, which anybody
 * may have written, so each of these is set on every container that davit makes: to nothing where it says nothing.
 */
export const LABELS = {
  installation: 'davit.installation',
  kind: 'davit.kind',
  pipeline: 'davit.job.pipeline',
  key: 'davit.job.key',
  attempt: 'davit.job.attempt',
  workflow: 'davit.job.workflow',
  run: 'davit.job.run',
  /** Project and host name of a tested container: leftovers of an earlier build are found by it. */
  tested: 'davit.job.tested',
  /** Its last line is the mark of `end-mark.ts`: one that an older worker made has none. */
  marked: 'davit.job.marked',
  /** Which caches are kept when the container has ended, as JSON. */
  caches: 'davit.job.caches',
} as const;

/** All labels of davit that a container has, with those of its image put out of force. */
export const containerLabels = (own: Readonly<Record<string, string>>): Record<string, string> => ({
  ...Object.fromEntries(Object.values(LABELS).map((name) => [name, ''])),
  ...own,
});

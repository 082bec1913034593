/**
 * Marks work that begins now and is awaited later. Its failure reaches the later `await`; if something else
 * fails before that, this failure is not an unhandled rejection.
 */
export function startEarly<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined); // the later await rejects with it
  return work;
}

/**
 * Walks over the graph of jobs. Every walk has a visited set and no recursion, so no file can make it hang.
 */

/**
 * Cycles as their paths, first name repeated at the end: one for each edge that closes a cycle, so that no
 * cycle remains without these edges.
 */
export function findCycles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  for (const start of edges.keys()) {
    if (done.has(start)) continue;
    const path: string[] = [start];
    const onPath = new Set(path);
    const next: number[] = [0];
    while (path.length > 0) {
      const here = path.at(-1) ?? '';
      const index = next.at(-1) ?? 0;
      const to = edges.get(here)?.[index];
      if (to === undefined) {
        done.add(here);
        onPath.delete(here);
        path.pop();
        next.pop();
        continue;
      }
      next[next.length - 1] = index + 1;
      if (onPath.has(to)) cycles.push([...path.slice(path.indexOf(to)), to]);
      if (onPath.has(to) || done.has(to)) continue;
      path.push(to);
      onPath.add(to);
      next.push(0);
    }
  }
  return cycles;
}

/** Every name that can be reached from these, themselves included. */
export function reachable(starts: Iterable<string>, edges: (name: string) => Iterable<string>): Set<string> {
  const seen = new Set(starts);
  const queue = [...seen];
  for (let name = queue.pop(); name !== undefined; name = queue.pop())
    for (const to of edges(name))
      if (!seen.has(to)) {
        seen.add(to);
        queue.push(to);
      }
  return seen;
}

/** Deliveries as the documentation of each forge describes them: `test/fixtures/forge/*-deliveries.json`. */
import { readFileSync } from 'node:fs';
import { deliver, type Delivery, type Forge } from './deliveries.ts';

interface Recorded {
  /** Fields of every payload. */
  common: Record<string, unknown>;
  deliveries: Record<string, { event: string; payload: Record<string, unknown> }>;
}
/** The repository of all of them. */
export const RECORDED_REPOSITORY = 'acme/shop';
/** Commits of the recorded deliveries, and an annotated tag. */
export const OBJECTS = { a: 'a'.repeat(40), b: 'b'.repeat(40), c: 'c'.repeat(40), tag: 'd'.repeat(40) };

const read = (forge: Forge): Recorded =>
  JSON.parse(
    readFileSync(new URL(`../fixtures/forge/${forge}-deliveries.json`, import.meta.url), 'utf8'),
  ) as Recorded;

export const recordedNames = (forge: Forge): string[] => Object.keys(read(forge).deliveries);

/** Signs a recorded delivery. `id`: that of a delivery which is sent again. */
export function recorded(
  forge: Forge,
  name: string,
  { secret, id }: { secret: string; id?: string },
): Delivery {
  const { common, deliveries } = read(forge);
  const found = deliveries[name];
  if (!found) throw new Error(`${forge} has no recorded delivery "${name}"`);
  const delivery = deliver(forge, found.event, { payload: { ...common, ...found.payload }, secret });
  const header = { github: 'x-github-delivery', gitea: 'x-gitea-delivery', gitlab: 'x-gitlab-event-uuid' };
  if (id !== undefined) delivery.headers[header[forge]] = id;
  return delivery;
}

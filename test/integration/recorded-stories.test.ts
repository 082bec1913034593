/**
 * Stories of a team, told by the recorded deliveries of each forge: through the server's routes to the real
 * workflow of the project.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelineStatus } from '../../src/plan/model/protocol.ts';
import { signalDeletion, signalTrigger } from '../../src/temporal/calls.ts';
import type { Forge } from '../support/deliveries.ts';
import { planOf } from '../support/plans.ts';
import { OBJECTS, recorded, RECORDED_REPOSITORY } from '../support/recorded.ts';
import { testServer, type TestServer } from '../support/server.ts';
import { until, World } from '../support/world.ts';

const FORGES: Forge[] = ['gitlab', 'github', 'gitea'];
const SECRET = 'a-secret-of-the-shop';
const { b, c } = OBJECTS;
let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.close());

/** A project of its own for a story. */
class Story {
  readonly #forge: Forge;
  readonly #slug: string;
  readonly #server: TestServer;
  readonly #seen = new Set<string>();

  private constructor(forge: Forge, slug: string, server: TestServer) {
    this.#forge = forge;
    this.#slug = slug;
    this.#server = server;
  }

  static async open(forge: Forge, name: string): Promise<Story> {
    const slug = `${name}-${forge}`;
    const projects = [{ name: slug, forge, repository: RECORDED_REPOSITORY }];
    const server = await testServer({ projects, secrets: { [slug]: SECRET } });
    server.workflows.onTrigger = (trigger) => signalTrigger(world.client, trigger);
    server.workflows.refDeleted = (project, deleted) => signalDeletion(world.client, project, deleted);
    return new Story(forge, slug, server);
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  /** Sends a delivery while the forge has this head; resolves with its key, if the project was asked. */
  async #deliver(name: string, { head, id = randomUUID() }: { head: string; id?: string }) {
    world.project(this.#slug, { plan: planOf([{ key: 'unit' }]), head });
    const { headers, body } = recorded(this.#forge, name, { secret: SECRET, id });
    const url = `/webhooks/${this.#forge}`;
    const answer = await this.#server.app.inject({ method: 'POST', url, headers, payload: body });
    if (answer.statusCode >= 300) throw new Error(`${name}: ${answer.statusCode} ${answer.body}`);
    return answer.json<{ key?: string }>().key;
  }

  /** Sends a delivery; resolves with whether the project was asked for a pipeline. */
  async send(name: string, of: { head: string; id?: string }): Promise<boolean> {
    return (await this.#deliver(name, of)) !== undefined;
  }

  /** Sends a delivery, and resolves with the end of the new pipeline that it starts. */
  async runs(name: string, of: { head: string; id?: string }): Promise<PipelineStatus> {
    const key = await this.#deliver(name, of);
    const id = await until(`${name} starts`, async () => {
      const { state, pipeline } = await world.lookup(this.#slug, key ?? '');
      return state !== 'started' || !pipeline || this.#seen.has(pipeline) ? undefined : pipeline;
    });
    this.#seen.add(id);
    return world.end(id);
  }
}

describe.each(FORGES)('%s', (forge) => {
  async function story(name: string, tell: (of: Story) => Promise<void>): Promise<void> {
    const of = await Story.open(forge, name);
    try {
      await tell(of);
    } finally {
      await of.close();
    }
  }

  test('a push runs once, however often it is delivered', () =>
    story('redelivered', async (of) => {
      expect(await of.runs('push', { head: b, id: 'one' })).toMatchObject({ sha: b, state: 'success' });
      await of.send('push', { head: b, id: 'one' });
      await of.send('push', { head: b, id: 'another' });
      expect(await of.runs('push of the next commit', { head: c })).toMatchObject({
        id: `redelivered-${forge}/2`,
      });
    }));

  test('pushed forth, and back by force: each runs to its end', () =>
    story('back', async (of) => {
      await of.runs('push', { head: b });
      await of.runs('push of the next commit', { head: c });
      expect(await of.runs('force push back', { head: b })).toMatchObject({ sha: b, state: 'success' });
      // The same event as before: the forge says that it is so again.
      expect(await of.runs('push of the next commit', { head: c })).toMatchObject({ state: 'success' });
    }));

  test('a tag that is made, moved, and moved back runs each time', () =>
    story('tags', async (of) => {
      expect(await of.runs('tag made', { head: b })).toMatchObject({ source: 'tag', sha: b });
      expect(await of.runs('tag moved', { head: c })).toMatchObject({ sha: c, state: 'success' });
      expect(await of.runs('tag moved back', { head: b })).toMatchObject({ sha: b, state: 'success' });
    }));

  test('a tag that is deleted and made again at the same commit runs again', () =>
    story('again', async (of) => {
      await of.runs('tag made', { head: b });
      expect(await of.send('tag deleted', { head: b })).toBe(false);
      expect(await of.runs('tag made', { head: b })).toMatchObject({ sha: b, state: 'success' });
    }));

  test('a merge request runs when it is opened, updated and reopened, and not when it is closed', () =>
    story('requests', async (of) => {
      const opened = await of.runs('request opened', { head: b });
      expect(opened).toMatchObject({ source: 'merge_request', sha: b, state: 'success' });
      expect(await of.runs('request updated', { head: c })).toMatchObject({ sha: c });
      for (const name of ['request labelled', 'request closed', 'request merged'])
        expect(await of.send(name, { head: c }), name).toBe(false);
      expect(await of.send('request reopened', { head: c })).toBe(true);
    }));
});

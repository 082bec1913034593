/**
 * The marks that tell an engine from one with a copy of its disk: each worker process leaves one, and the server knows the
 * newest of each davit id (`src/server/workers/host-ids.ts`). A mark is the label of an empty volume.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Engine } from '../../../src/adapters/ports.ts';
import type { Marks } from '../../../src/plan/model/fleet.ts';
import { sha256 } from '../../../src/utils/sha256.ts';

export const MARK_LABEL = 'davit.host.mark';
/** A server whose records are put back from a backup knows an earlier one. */
const KEPT = 50;

export interface MarkOptions {
  engine: Pick<Engine, 'createVolume' | 'listVolumes' | 'removeVolume'>;
  installation: string;
  /** Address of the engine. */
  address: string;
}

export class HostMarks {
  readonly #of: MarkOptions;
  readonly #own = randomUUID();
  readonly #way: string;

  private constructor(of: MarkOptions, way: string) {
    this.#of = of;
    this.#way = way;
  }

  /** With a new mark on the engine. */
  static async leave(of: MarkOptions): Promise<HostMarks> {
    const marks = new HostMarks(of, await wayTo(of.address));
    await marks.#make();
    return marks;
  }

  /** As they are now. Rejects with `engine/*`. */
  async read(): Promise<Marks> {
    let found = await this.#list();
    // Somebody has removed unused volumes.
    if (!found.some((one) => one.mark === this.#own)) {
      await this.#make();
      found = await this.#list();
    }
    return { own: this.#own, seen: found.map((one) => one.mark).slice(0, 2 * KEPT), way: this.#way };
  }

  /** The engine has what this process has left there: it is no other one. */
  isHere = async (): Promise<boolean> => (await this.#list()).some((one) => one.mark === this.#own);

  /** Old ones. */
  async sweep(): Promise<void> {
    const found = await this.#list();
    for (const { name } of found.filter((one) => one.mark !== this.#own).slice(KEPT))
      await this.#of.engine.removeVolume(name);
  }

  /** Newest first. */
  async #list(): Promise<{ name: string; mark: string }[]> {
    const { engine, installation } = this.#of;
    const found = await engine.listVolumes({ 'davit.installation': installation, 'davit.kind': 'mark' });
    return found
      .sort((a, b) => b.createdAt - a.createdAt)
      .flatMap(({ name, labels }) => {
        const mark = labels[MARK_LABEL];
        return mark === undefined ? [] : [{ name, mark }];
      });
  }

  #make(): Promise<void> {
    const { engine, installation } = this.#of;
    return engine.createVolume(`davit-mark-${installation.slice(0, 8)}-${this.#own}`, {
      'davit.installation': installation,
      'davit.kind': 'mark',
      [MARK_LABEL]: this.#own,
    });
  }
}

/** This machine, as it runs now, and the engine's address. */
async function wayTo(address: string): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''); // not Linux
  return sha256(JSON.stringify([hostname(), boot.trim(), address]));
}

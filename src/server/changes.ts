/** Passes changes that workflows report to their watchers in this process. */
import { EventEmitter } from 'node:events';
import type { PipelineId, ProjectSlug } from '../plan/model/ids.ts';
import type { Change } from '../plan/model/protocol.ts';

export class ChangeBoard {
  readonly #events = new EventEmitter().setMaxListeners(0);

  tell(change: Change): void {
    if ('pipeline' in change) this.#events.emit(`pipeline ${change.pipeline}`, change.over);
    else this.#events.emit(requestEvent(change.project, change.key));
  }

  /** Calls the listener at each change, with whether the pipeline has a verdict; returns a stop function. */
  onPipeline(id: PipelineId, listener: (over: boolean) => void): () => void {
    return this.#on(`pipeline ${id}`, listener);
  }

  /** Calls the listener when the project has decided about the event; returns a stop function. */
  onRequest(project: ProjectSlug, key: string, listener: () => void): () => void {
    return this.#on(requestEvent(project, key), listener);
  }

  #on(event: string, listener: (over: boolean) => void): () => void {
    this.#events.on(event, listener);
    return () => void this.#events.off(event, listener);
  }
}

const requestEvent = (project: ProjectSlug, key: string): string => `request ${project} ${key}`;

import { defineSearchAttributeKey } from '@temporalio/common';
import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { FINAL_STATES, SEARCH_ATTRIBUTES, type PipelineStatus } from '../src/plan/model/protocol.ts';
import type { Trigger } from '../src/plan/model/trigger.ts';
import { detailsText, keyword, keywords } from '../src/plan/policy/display-text.ts';
import { tellChange } from './changes.ts';

const KEYS = {
  project: defineSearchAttributeKey(SEARCH_ATTRIBUTES.project, 'KEYWORD'),
  ref: defineSearchAttributeKey(SEARCH_ATTRIBUTES.ref, 'KEYWORD'),
  sha: defineSearchAttributeKey(SEARCH_ATTRIBUTES.sha, 'KEYWORD'),
  state: defineSearchAttributeKey(SEARCH_ATTRIBUTES.state, 'KEYWORD'),
  waitingFor: defineSearchAttributeKey(SEARCH_ATTRIBUTES.waitingFor, 'KEYWORD_LIST'),
};

/** Attributes with which a pipeline starts. */
export const startAttributes = ({
  project,
  ref,
  sha,
}: Pick<Trigger, 'project' | 'ref' | 'sha'>): { key: (typeof KEYS)['project']; value: string }[] => [
  { key: KEYS.project, value: keyword(project) },
  { key: KEYS.ref, value: keyword(ref) },
  { key: KEYS.sha, value: keyword(sha) },
  { key: KEYS.state, value: 'created' },
];

/**
 * Shows the status in Temporal: once for all changes of the same moment, and in the history only if something
 * differs. Tells the server that it has changed.
 */
export class Visibility {
  readonly #status: () => PipelineStatus;
  #due = false;
  #shown = { state: 'created', waitingFor: '[]' };

  constructor(status: () => PipelineStatus) {
    this.#status = status;
  }

  changed(): void {
    if (this.#due) return;
    this.#due = true;
    void Promise.resolve().then(() => {
      this.#due = false;
      this.show();
    });
  }

  show(): void {
    const status = this.#status();
    setCurrentDetails(detailsText(status));
    tellChange({
      pipeline: status.id,
      over: status.endedAt !== undefined && FINAL_STATES.includes(status.state),
    });
    const waitingFor = keywords(status.waitingFor);
    const text = JSON.stringify(waitingFor);
    if (status.state === this.#shown.state && text === this.#shown.waitingFor) return;
    upsertSearchAttributes([
      ...(status.state === this.#shown.state ? [] : [{ key: KEYS.state, value: keyword(status.state) }]),
      ...(text === this.#shown.waitingFor
        ? []
        : [{ key: KEYS.waitingFor, value: waitingFor.length > 0 ? waitingFor : null }]),
    ]);
    this.#shown = { state: status.state, waitingFor: text };
  }
}

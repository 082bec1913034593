import { defineSearchAttributeKey } from '@temporalio/common';
import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { SEARCH_ATTRIBUTES, type PipelineStatus } from '../src/plan/model/protocol.ts';
import { detailsText, keyword, keywords } from '../src/plan/policy/display-text.ts';

const KEYS = {
  project: defineSearchAttributeKey(SEARCH_ATTRIBUTES.project, 'KEYWORD'),
  ref: defineSearchAttributeKey(SEARCH_ATTRIBUTES.ref, 'KEYWORD'),
  sha: defineSearchAttributeKey(SEARCH_ATTRIBUTES.sha, 'KEYWORD'),
  state: defineSearchAttributeKey(SEARCH_ATTRIBUTES.state, 'KEYWORD'),
  waitingFor: defineSearchAttributeKey(SEARCH_ATTRIBUTES.waitingFor, 'KEYWORD_LIST'),
};

/** Attributes a pipeline starts with. */
export const startAttributes = (of: {
  project: string;
  ref: string;
  sha: string;
}): { key: (typeof KEYS)['project']; value: string }[] => [
  { key: KEYS.project, value: keyword(of.project) },
  { key: KEYS.ref, value: keyword(of.ref) },
  { key: KEYS.sha, value: keyword(of.sha) },
  { key: KEYS.state, value: 'created' },
];

/** Shows a status to operators: once for all that changes at the same moment, and an event in history only for a difference. */
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

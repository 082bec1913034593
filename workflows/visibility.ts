import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { FINAL_STATES, SEARCH_ATTRIBUTES, type PipelineStatus } from '../src/plan/model/protocol.ts';
import type { Trigger } from '../src/plan/model/trigger.ts';
import { detailsText } from '../src/plan/policy/details-text.ts';
import { keyword, keywords } from '../src/plan/policy/display-text.ts';
import { searchWords, WAITS_FOR_PLAN } from '../src/plan/policy/waits.ts';
import { tellChange } from './changes.ts';
import { hasVersion } from './versions.ts';

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
}: Pick<Trigger, 'project' | 'ref' | 'sha'>): SearchAttributePair[] => [
  { key: KEYS.project, value: keyword(project) },
  { key: KEYS.ref, value: keyword(ref) },
  { key: KEYS.sha, value: keyword(sha) },
  { key: KEYS.state, value: 'created' },
  { key: KEYS.waitingFor, value: [...WAITS_FOR_PLAN] },
];

/** A project from before `waitsInGroups` shows nothing. */
const shownAtStart = (): string[] => workflowInfo().typedSearchAttributes.get(KEYS.waitingFor) ?? [];

interface Waits {
  /** What runs from before `waitsInGroups` show. */
  all: readonly string[];
  /** No job runs. */
  still: boolean;
}

/**
 * Shows the status in Temporal: once for all changes of the same moment, and in the history only if something
 * differs. Tells the server that it has changed.
 */
export class Visibility {
  readonly #status: () => PipelineStatus;
  readonly #waits: () => Waits;
  #due = false;
  #shown = { state: 'created', waitingFor: JSON.stringify(shownAtStart()) };

  constructor(status: () => PipelineStatus, waits: () => Waits) {
    this.#status = status;
    this.#waits = waits;
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
    const waitingFor = this.#words(status);
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
  /** The version is asked only where it makes a difference. */
  #words({ waitingFor }: PipelineStatus): string[] {
    const { all, still } = this.#waits();
    const before = keywords(all);
    const words = searchWords(waitingFor, still);
    if (JSON.stringify(before) === JSON.stringify(words)) return before;
    return hasVersion('waitsInGroups') ? words : before;
  }
}

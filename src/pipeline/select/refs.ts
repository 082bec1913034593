import { RE2JS } from 're2js';
import type { JobConfig } from '../config/job.ts';
import type { CompileRequest } from '../request.ts';
import { pipelineSource } from '../variables/predefined.ts';

/** `only` and `except`, their refs: who is in this pipeline. Rules as in GitLab's `Ci::Build::Policy::Refs`. */
const REGEX = /^\/(.*)\/([ismU]*)$/s;
const DEFAULT_ONLY = ['branches', 'tags'];

/** Compiles `/pattern/flags` on RE2; undefined when the text is a plain name. Throws when it is not valid. */
export function refPattern(text: string): RE2JS | undefined {
  const found = REGEX.exec(text);
  if (!found) return undefined;
  const flags = found[2] ? `(?${found[2]})` : '';
  return RE2JS.compile(flags + (found[1] ?? ''));
}

export interface Selection {
  included: boolean;
  /** For a person: what decided. */
  reason: string;
}

/** Answers for many jobs of one pipeline; a pattern is compiled once. */
export class RefSelector {
  readonly #request: CompileRequest;
  readonly #source: string;
  readonly #matched = new Map<string, boolean>();

  constructor(request: CompileRequest) {
    this.#request = request;
    this.#source = pipelineSource(request);
  }

  select({ values }: JobConfig): Selection {
    const only = values.only?.refs ?? DEFAULT_ONLY;
    const matched = only.find((ref) => this.#matches(ref));
    if (matched === undefined)
      return { included: false, reason: `only runs for ${only.join(', ') || 'nothing'}` };
    const excluded = values.except?.refs?.find((ref) => this.#matches(ref));
    if (excluded !== undefined) return { included: false, reason: `except ${excluded}` };
    return { included: true, reason: values.only ? `only ${matched}` : matched };
  }

  #matches(ref: string): boolean {
    const known = this.#matched.get(ref);
    if (known !== undefined) return known;
    const at = ref.indexOf('@');
    const pattern = at === -1 ? ref : ref.slice(0, at);
    const path = at === -1 ? undefined : ref.slice(at + 1);
    const here = this.#request.project.path ?? this.#request.project.slug;
    const result = (path === undefined || path === here) && this.#matchesPattern(pattern);
    this.#matched.set(ref, result);
    return result;
  }

  #matchesPattern(pattern: string): boolean {
    const { refKind, ref } = this.#request.trigger;
    if (refKind === 'tag' && pattern === 'tags') return true;
    if (refKind === 'branch' && pattern === 'branches') return true;
    const source = this.#source.replace(/_event$/, '');
    const plural = source === 'push' ? 'pushes' : `${source}s`;
    if (pattern === source || pattern === plural) return true;
    if (refKind === 'merge_request') return false;
    const regex = safePattern(pattern);
    return regex ? regex.matcher(ref).find() : pattern === ref;
  }
}

function safePattern(pattern: string): RE2JS | undefined {
  try {
    return refPattern(pattern);
  } catch {
    // Reported where the file is checked; here it simply matches nothing but its own text.
    return undefined;
  }
}

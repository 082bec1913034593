/**
 * The variables of one job, and the values of their references.
 *
 * Layers are merged by name, in ascending precedence. A value is made in two steps (`two-steps.ts`), on first use. Invariants:
 * SCOPE-1 a cycle of references is found and named, never followed. SCOPE-2 a value from a masked or secret
 * variable is tainted, so that callers can refuse to store it. SCOPE-3 what is known only on the worker stays
 * a reference; everything else is expanded here. SCOPE-4 a variable that refers to itself is not a cycle, as
 * in GitLab: it means the value of the layer below, and stays unchanged if there is none. SCOPE-5 where a dotenv report
 * may replace a variable of the file, references to it stay references: the report's value counts in other values too.
 */
import type { SecretRef, SpecVariable } from '../../plan/model/spec.ts';
import { expandParts, isLate, renderParts, type Late, type Part } from './expand.ts';
import { firstStep, partsOfPieces, secondStep, type Piece } from './two-steps.ts';

export interface Variable {
  name: string;
  value: { literal: string } | { secret: SecretRef };
  masked: boolean;
  file: boolean;
  /** `expand: false`: the text as it is. */
  raw: boolean;
  from: NonNullable<SpecVariable['from']>;
}
export type Layer = ReadonlyMap<string, Variable>;

/** Values that the worker adds: never known here, and never empty. */
const ON_WORKER =
  /^(CI_JOB_(ID|IMAGE|TOKEN|STARTED_AT|STATUS|MANUAL)|CI_CONCURRENT_(PROJECT_)?ID|CI_REGISTRY_(USER|PASSWORD)|CI_RUNNER_\w+|CI_SERVER_TLS_\w+|API_URL|API_HOST|API_PORT)$/;

/** Limit of Linux for one variable; also ends references that multiply. */
const MAX_LENGTH = 131_072;

interface Resolved<P> {
  parts: readonly P[];
  tainted: boolean;
}
const UNKNOWN = { parts: [], tainted: false } as const;

export interface Expanded {
  text: string;
  /** `text` still contains references. */
  late: boolean;
  /** Contains a value that is masked or secret. */
  tainted: boolean;
}

/** What is known of a variable: now, or when the job runs, where a dotenv report may have replaced it. */
type When = 'now' | 'later';

export interface ScopeOptions {
  /** A dotenv report may add names that are not known yet, and replaces variables of the file. */
  open: boolean;
  /** Names that no report brings or replaces, although the scope is open. */
  fixed?: ReadonlySet<string>;
}

export class Scope {
  readonly #variables: Map<string, Variable>;
  /** What a variable overrides. Variables of the file are one layer here: they replace each other by name. */
  readonly #hidden = new Map<string, Variable>();
  readonly #options: ScopeOptions;
  /** Values after the first of two steps, and after both. */
  readonly #first = { now: new Map<string, Resolved<Piece>>(), later: new Map<string, Resolved<Piece>>() };
  readonly #resolved = { now: new Map<string, Resolved<Part>>(), later: new Map<string, Resolved<Part>>() };
  readonly #path: string[] = [];
  readonly #cycles: string[][] = [];
  #tooLong: string | undefined;

  constructor(layers: readonly Layer[], options: ScopeOptions) {
    this.#variables = new Map();
    for (const layer of layers)
      for (const [name, variable] of layer) {
        const below = this.#variables.get(name);
        if (below && !(below.from === 'file' && variable.from === 'file')) this.#hidden.set(name, below);
        this.#variables.set(name, variable);
      }
    this.#options = options;
  }

  /** As the job will see it. */
  expand(text: string): Expanded {
    return this.#expand(text, 'later');
  }

  /** As far as it is known now: for what the plan itself needs. As in GitLab, a report changes nothing there. */
  settle(text: string): Expanded {
    return this.#expand(text, 'now');
  }

  #expand(text: string, when: When): Expanded {
    let tainted = false;
    const parts = expandParts(text, (name) => {
      const resolved = this.#replaceable(name, when) ?? this.#resolve(name, when);
      tainted ||= resolved?.tainted ?? false;
      return resolved?.parts;
    });
    return { text: renderParts(parts), late: isLate(parts), tainted };
  }

  /** As it was set. */
  find(name: string): Variable | undefined {
    return this.#variables.get(name);
  }

  /** A variable whose value is too long for a process; valid after `cycles`. */
  get tooLong(): string | undefined {
    return this.#tooLong;
  }

  /** Cycles among the variables, each as its path. */
  cycles(): readonly string[][] {
    for (const variable of this.#variables.values())
      if (needsWork(variable)) this.#resolve(variable.name, 'now');
    return this.#cycles;
  }

  all(): SpecVariable[] {
    return [...this.#variables.values()].map((variable) => this.#spec(variable));
  }

  #spec(variable: Variable): SpecVariable {
    const { name, masked, file, from } = variable;
    if ('secret' in variable.value) return { name, value: variable.value, masked, file, from };
    if (!needsWork(variable)) return { name, value: variable.value, masked, file, from };
    const { parts, tainted } = this.#resolve(name, 'later') ?? UNKNOWN;
    const late = isLate(parts) ? { late: true } : {};
    return { name, value: { literal: renderParts(parts) }, masked: masked || tainted, file, from, ...late };
  }

  /** A reference to a variable that a dotenv report may replace: it stays one. */
  #replaceable(name: string, when: When): Resolved<Late> | undefined {
    if (when === 'now' || !this.#options.open || this.#options.fixed?.has(name)) return undefined;
    if (this.#variables.get(name)?.from !== 'file') return undefined;
    return { parts: [{ late: name }], tainted: this.#resolve(name, 'now')?.tainted ?? false };
  }

  /** Undefined when nothing sets it. */
  #resolve(name: string, when: When): Resolved<Part> | undefined {
    const known = this.#resolved[when].get(name);
    if (known) return known;
    const first = this.#firstStep(name, when);
    if (!first) return undefined;
    const resolved = this.#secondStep(name, first, when);
    this.#resolved[when].set(name, resolved);
    return resolved;
  }

  #firstStep(name: string, when: When): Resolved<Piece> | undefined {
    const known = this.#first[when].get(name);
    if (known) return known;
    const variable = this.#variables.get(name);
    if (!variable) {
      const brought = this.#options.open && !this.#options.fixed?.has(name);
      return ON_WORKER.test(name) || brought ? { parts: [{ late: name }], tainted: false } : undefined;
    }
    const first = this.#work(variable, when);
    this.#first[when].set(name, first);
    return first;
  }

  #work(variable: Variable, when: When): Resolved<Piece> {
    if ('secret' in variable.value || variable.file)
      return { parts: [{ late: variable.name }], tainted: variable.masked || 'secret' in variable.value };
    if (!needsWork(variable)) return { parts: [{ fixed: variable.value.literal }], tainted: variable.masked };
    const start = this.#path.indexOf(variable.name);
    if (start !== -1) {
      this.#cycles.push([...this.#path.slice(start), variable.name]);
      return UNKNOWN;
    }
    this.#path.push(variable.name);
    let tainted = variable.masked;
    const parts = firstStep(variable.value.literal, (name, written) => {
      const inner = name === variable.name ? this.#below(name, written) : this.#inner(name, when);
      tainted ||= inner?.tainted ?? false;
      return inner?.parts;
    });
    this.#path.pop();
    return lengthOf(parts) > MAX_LENGTH ? this.#refuse(variable.name) : { parts, tainted };
  }

  #inner = (name: string, when: When): Resolved<Piece> | undefined =>
    this.#replaceable(name, when) ?? this.#firstStep(name, when);

  #secondStep(name: string, first: Resolved<Piece>, when: When): Resolved<Part> {
    let { tainted } = first;
    const parts = secondStep(first.parts, {
      valueOf: (inner) => {
        const found = this.#inner(inner, when);
        tainted ||= found?.tainted ?? false;
        return found && partsOfPieces(found.parts);
      },
      now: (inner) => {
        const known = this.#resolve(inner, 'now')?.parts ?? [];
        return isLate(known) ? undefined : renderParts(known);
      },
    });
    return lengthOf(parts) > MAX_LENGTH ? this.#refuse(name) : { parts, tainted };
  }

  #refuse(name: string): typeof UNKNOWN {
    this.#tooLong ??= name;
    return UNKNOWN;
  }

  /**
   * What a variable's own name means in its value: the text that it overrides, else the reference as written.
   */
  #below(name: string, written: string): Resolved<Piece> {
    const hidden = this.#hidden.get(name);
    if (!hidden || 'secret' in hidden.value || hidden.file || needsWork(hidden))
      return { parts: [{ fixed: written }], tainted: false };
    return { parts: [{ fixed: hidden.value.literal }], tainted: hidden.masked };
  }
}

const lengthOf = (parts: readonly Piece[]): number =>
  parts.reduce((sum, part) => sum + textOf(part).length + 1, 0);

const textOf = (part: Piece): string => (typeof part === 'string' ? part : 'fixed' in part ? part.fixed : '');

function needsWork(variable: Variable): boolean {
  if (variable.raw || 'secret' in variable.value) return false;
  return variable.value.literal.includes('$') || variable.value.literal.includes('%');
}

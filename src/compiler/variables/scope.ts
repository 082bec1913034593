/**
 * The variables of one job, and the values of their references.
 *
 * Layers are merged by name, in ascending precedence. A value is expanded once, on first use. Invariants:
 * SCOPE-1 a cycle of references is found and named, never followed. SCOPE-2 a value from a masked or secret
 * variable is tainted, so that callers can refuse to store it. SCOPE-3 what is known only on the worker stays
 * a reference; everything else is expanded here. SCOPE-4 a variable that refers to itself is not a cycle, as
 * in GitLab: it means the value of the layer below, and stays unchanged if there is none.
 */
import type { SecretRef, SpecVariable } from '../../plan/model/spec.ts';
import { expandParts, isLate, renderParts, type Part } from './expand.ts';

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

interface Resolved {
  parts: readonly Part[];
  tainted: boolean;
}
const UNKNOWN: Resolved = { parts: [], tainted: false };

export interface Expanded {
  text: string;
  /** `text` still contains references. */
  late: boolean;
  /** Contains a value that is masked or secret. */
  tainted: boolean;
}

export class Scope {
  readonly #variables: Map<string, Variable>;
  /** What a variable overrides. Variables of the file are one layer here: they replace each other by name. */
  readonly #hidden = new Map<string, Variable>();
  /** A dotenv report may add names that are not known yet. */
  readonly #open: boolean;
  readonly #resolved = new Map<string, Resolved>();
  readonly #path: string[] = [];
  readonly #cycles: string[][] = [];
  #tooLong: string | undefined;

  constructor(layers: readonly Layer[], options: { open: boolean }) {
    this.#variables = new Map();
    for (const layer of layers)
      for (const [name, variable] of layer) {
        const below = this.#variables.get(name);
        if (below && !(below.from === 'file' && variable.from === 'file')) this.#hidden.set(name, below);
        this.#variables.set(name, variable);
      }
    this.#open = options.open;
  }

  expand(text: string): Expanded {
    let tainted = false;
    const parts = expandParts(text, (name) => {
      const resolved = this.#resolve(name);
      tainted ||= resolved?.tainted ?? false;
      return resolved?.parts;
    });
    return { text: renderParts(parts), late: isLate(parts), tainted };
  }

  /** Value as text, with references expanded if possible; undefined when it is not set or secret. */
  get(name: string): string | undefined {
    const variable = this.#variables.get(name);
    if (!variable || 'secret' in variable.value) return undefined;
    return renderParts(this.#resolve(name)?.parts ?? []);
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
    for (const variable of this.#variables.values()) if (needsWork(variable)) this.#resolve(variable.name);
    return this.#cycles;
  }

  all(): SpecVariable[] {
    return [...this.#variables.values()].map((variable) => this.#spec(variable));
  }

  #spec(variable: Variable): SpecVariable {
    const { name, masked, file, from } = variable;
    if ('secret' in variable.value) return { name, value: variable.value, masked, file, from };
    if (!needsWork(variable)) return { name, value: variable.value, masked, file, from };
    const { parts, tainted } = this.#resolve(name) ?? UNKNOWN;
    const late = isLate(parts) ? { late: true } : {};
    return { name, value: { literal: renderParts(parts) }, masked: masked || tainted, file, from, ...late };
  }

  #resolve(name: string): Resolved | undefined {
    const known = this.#resolved.get(name);
    if (known) return known;
    const variable = this.#variables.get(name);
    if (!variable)
      return ON_WORKER.test(name) || this.#open ? { parts: [{ late: name }], tainted: false } : undefined;
    const resolved = this.#work(variable);
    this.#resolved.set(name, resolved);
    return resolved;
  }

  #work(variable: Variable): Resolved {
    if ('secret' in variable.value || variable.file)
      return { parts: [{ late: variable.name }], tainted: variable.masked || 'secret' in variable.value };
    if (!needsWork(variable)) return { parts: [variable.value.literal], tainted: variable.masked };
    const start = this.#path.indexOf(variable.name);
    if (start !== -1) {
      this.#cycles.push([...this.#path.slice(start), variable.name]);
      return UNKNOWN;
    }
    this.#path.push(variable.name);
    let tainted = variable.masked;
    const parts = expandParts(variable.value.literal, (name, written) => {
      const inner = name === variable.name ? this.#below(name, written) : this.#resolve(name);
      tainted ||= inner?.tainted ?? false;
      return inner?.parts;
    });
    this.#path.pop();
    if (lengthOf(parts) > MAX_LENGTH) {
      this.#tooLong ??= variable.name;
      return UNKNOWN;
    }
    return { parts, tainted };
  }

  /**
   * What a variable's own name means in its value: the text that it overrides, else the reference as written.
   */
  #below(name: string, written: string): Resolved {
    const hidden = this.#hidden.get(name);
    if (!hidden || 'secret' in hidden.value || hidden.file || needsWork(hidden))
      return { parts: [written], tainted: false };
    return { parts: [hidden.value.literal], tainted: hidden.masked };
  }
}

const lengthOf = (parts: readonly Part[]): number =>
  parts.reduce((sum, part) => sum + (typeof part === 'string' ? part.length : 0) + 1, 0);

function needsWork(variable: Variable): boolean {
  if (variable.raw || 'secret' in variable.value) return false;
  return variable.value.literal.includes('$') || variable.value.literal.includes('%');
}

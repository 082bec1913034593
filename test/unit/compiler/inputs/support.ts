import { compile } from '../../../../src/compiler/compile.ts';
import { loadIncludes } from '../../../../src/compiler/includes.ts';
import { problemText } from '../../../../src/compiler/problems.ts';
import type { CompileResult, CompiledJob } from '../../../../src/compiler/request.ts';
import { jobs, request, run, type Overrides } from '../helpers.ts';

export type Files = Record<string, string>;

/** A header with these inputs, in flow style, and the content. */
export const withInputs = (inputs: string, content: string): string =>
  `spec:\n  inputs: ${inputs}\n---\n${content}`;

/** Compiles with these files; returns which of them were read. */
export async function including(text: string, files: Files, more: Overrides = {}): Promise<CompileResult> {
  const asked = request(text, more);
  const loaded = await loadIncludes(asked, {
    read: (names) => Promise.resolve(Object.fromEntries(names.map((name) => [name, files[name] ?? null]))),
    list: () => Promise.resolve(Object.keys(files)),
    changed: () => Promise.resolve(undefined),
    elsewhere: () => Promise.resolve({}),
  });
  return compile({ ...asked, ...loaded });
}

/** Every problem on one line, without its hint. */
export const texts = (answer: CompileResult): string[] =>
  (answer.kind === 'invalid' ? answer.problems : answer.warnings).map((one) =>
    problemText({ ...one, hint: undefined }),
  );
export const problemsOf = (text: string, more: Overrides = {}): string[] => texts(run(text, more));

export function script(answer: CompileResult, key = 'j'): readonly string[] {
  const found = answer.kind === 'plan' ? answer.jobs.find(({ job }) => job.key === key) : undefined;
  if (found?.spec.kind !== 'script') throw new Error(JSON.stringify(answer, null, 1));
  return found.spec.script;
}

/** The value of a block within a script. */
export function filled(inputs: string, block: string, more: Overrides = {}): string | undefined {
  const text = withInputs(inputs, `j:\n  image: x\n  script:\n    - |-\n      <${block}>\n`);
  return script(run(text, more))[0]?.slice(1, -1);
}
export const job = (text: string, key = 'j', more: Overrides = {}): CompiledJob | undefined =>
  jobs(text, more)[key];

import { problemText } from '../../../../src/compiler/problems.ts';
import type { CompileResult, CompiledJob } from '../../../../src/compiler/request.ts';
import { jobs, run, type Overrides } from '../helpers.ts';

/** A header with these inputs, in flow style, and the content. */
export const withInputs = (inputs: string, content: string): string =>
  `spec:\n  inputs: ${inputs}\n---\n${content}`;

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

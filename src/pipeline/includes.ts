/** The texts that a file includes: what is missing is asked for, round by round, until nothing is. */
import { Includer, type IncludesNeeded } from './config/include.ts';
import { ContentReader } from './inputs/content.ts';
import { runInputs } from './inputs/run-inputs.ts';
import { Problems } from './problems.ts';
import type { CompileRequest } from './request.ts';

/** Reads the source that a pipeline is compiled of. */
export interface IncludeSource {
  /** Text of each file; null for one that is not there. */
  read(files: readonly string[]): Promise<Record<string, string | null>>;
  /** Every file of the source. */
  list(): Promise<readonly string[]>;
}
type Loaded = Pick<CompileRequest, 'included' | 'files'>;

/** What must be read before the file can be put together. Never throws. */
export function includesNeeded(request: CompileRequest): IncludesNeeded {
  const { name, text } = request.file;
  const problems = new Problems();
  const contents = new ContentReader(request, problems);
  const includer = new Includer(request, problems, contents);
  // A key may be made of inputs too.
  if (!text.includes('include') && !text.includes('$[[')) return includer.needed;
  const root = contents.read(request.file, { given: runInputs(request.trigger.inputs, problems) });
  if (root?.kind === 'map') includer.expand(root, [name]);
  return includer.needed;
}

/** Ends: each round reads files that no round before has read, and 150 includes are the most. */
export async function loadIncludes(request: CompileRequest, source: IncludeSource): Promise<Loaded> {
  const loaded: Loaded = { included: request.included ?? {}, files: request.files };
  for (;;) {
    const needed = includesNeeded({ ...request, ...loaded });
    if (needed.list) loaded.files = await source.list();
    if (needed.files.size > 0)
      loaded.included = { ...loaded.included, ...(await source.read([...needed.files])) };
    if (!needed.list && needed.files.size === 0) return loaded;
  }
}

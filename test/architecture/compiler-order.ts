/**
 * The order of the compiler, lowest first: a file imports only from its own entry and from entries above it
 * in this list, types included. An entry is a file or a folder of `src/compiler/`; the longest entry that
 * matches a file is the file's.
 */
export const COMPILER_ORDER: readonly string[] = [
  // What every step uses: places, mistakes, spelling.
  'source-text.ts',
  'suggest.ts',
  'coverage.ts',
  'problems.ts',
  // Text to typed values.
  'yaml/',
  'request.ts',
  'expression/',
  'schema/validation/',
  'schema/keywords/',
  'schema/',
  'job-config.ts',
  // What conditions and includes see.
  'variables/',
  'rules/',
  'templates/',
  'inputs/',
  // The steps of `compile`, in the order in which they run.
  'assemble/',
  'draft/',
  'check/',
  'lint/',
  'emit/',
  // What other parts of davit call.
  'includes.ts',
  'compile.ts',
  'changes-needed.ts',
  'remote-exists.ts',
  'merged-yaml.ts',
  'installation-file.ts',
];

/** Position of a path below `src/compiler/` in the order; -1 for one that has none. */
export function rankOf(path: string): number {
  const entries = COMPILER_ORDER.filter((entry) =>
    entry.endsWith('/') ? path.startsWith(entry) : path === entry,
  );
  const longest = entries.toSorted((a, b) => b.length - a.length)[0];
  return longest === undefined ? -1 : COMPILER_ORDER.indexOf(longest);
}

/** What to do about an error of RE2, told by its own words; undefined where they say it all. */
export function regexHint(error: string): string | undefined {
  if (/missing closing \]/.test(error))
    return 'A [ has no ] after it: close it, or write \\[ for the sign itself.';
  if (/missing closing \)|missing parenthesis/.test(error))
    return 'A ( has no ) after it: close it, or write \\( for the sign itself.';
  if (/unexpected \)/.test(error))
    return 'A ) has no ( before it: remove it, or write \\) for the sign itself.';
  if (/repetition/.test(error))
    return 'What is repeated stands before *, + and ?; write \\* for the sign itself.';
  if (/\(\?<?[=!]|`\\[1-9]/.test(error)) return 'RE2 supports neither look-around nor back references.';
  return undefined;
}

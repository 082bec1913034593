/** `regexp` of `changes` and `exists`: an RE2 pattern that is searched for anywhere in a path. Pure. */
import { RE2JS } from 're2js';
import { messageOf } from '../utils/message.ts';

/** The error of RE2 for a pattern; undefined when it is valid. */
export function patternProblem(text: string): string | undefined {
  try {
    RE2JS.compile(text);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Whether any path matches. An invalid pattern matches nothing; it is reported elsewhere. */
export function anyMatches(pattern: string, files: readonly string[]): boolean {
  if (patternProblem(pattern) !== undefined) return false;
  const regex = RE2JS.compile(pattern);
  return files.some((file) => regex.matcher(file).find());
}

/** Folders of these files, each with a trailing slash: in `exists` a path with one means a folder. */
export function foldersOf(files: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const file of files)
    for (let at = file.lastIndexOf('/'); at > 0; at = file.lastIndexOf('/', at - 1)) {
      const folder = file.slice(0, at + 1);
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  return [...folders];
}

/** Key of `CompileRequest.elsewhere`. */
export const remoteFilesKey = (project: string, ref: string | undefined): string => `${project}@${ref ?? ''}`;

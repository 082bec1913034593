/**
 * Artifacts that no command of the job writes. This can be known only if every command is a simple one with
 * explicit files; with any program, variable or substitution it is not known.
 */
import type { Draft } from '../draft/draft.ts';
import { scriptTexts } from './shell.ts';
import { placeIn, type JobConfig } from '../job-config.ts';
import type { LintContext } from './lint-context.ts';

/** Commands that write only by `>`, or only to the files in their arguments. */
const SIMPLE =
  /^(?:echo|printf|true|false|:|exit|test|\[|cat|ls|pwd|cd|export|set|sleep|date|uname|whoami|id|grep|head|tail|wc|sort|uniq|mkdir|touch|cp|mv|tee|env|printenv|hostname)$/;
const UNKNOWN = /[`\\*?]|\$\(|\$\{?[A-Za-z_]\w*\}?[^\s]*[/.]|>\s*"?\$|<</;

export function lintArtifacts({ drafts, request, problems }: LintContext): void {
  const { files } = request;
  if (!files) return;
  for (const draft of drafts.all) {
    const paths = draft.config.values.artifacts?.paths ?? [];
    const texts = paths.length > 0 && canBeKnown(draft) ? simpleText(draft.config) : undefined;
    if (texts === undefined) continue;
    for (const [index, path] of paths.entries()) {
      const segments = path.split('/').filter((part) => part !== '' && part !== '.');
      if (/[*?[\]{}$%]/.test(path) || segments.length === 0) continue;
      const whole = segments.join('/');
      if (segments.some((part) => texts.includes(part))) continue;
      if (files.some((file) => file === whole || file.startsWith(`${whole}/`))) continue;
      problems.add(
        'language/never-written',
        `no command of "${draft.group}" writes ${path}, and it is not in the source`,
        {
          at: placeIn(draft.config, 'artifacts', ['paths', index]),
          severity: 'warning',
        },
      );
    }
  }
}

/** Nothing else can provide the file: no cache, no artifact of another job, no service, no tested image. */
const canBeKnown = ({ config, artifactsFrom }: Draft): boolean =>
  config.kind === 'script' &&
  artifactsFrom.length === 0 &&
  !config.entries.has('cache') &&
  !config.entries.has('services') &&
  !config.entries.has('hooks');

/** The job's scripts as one text, if each command is simple. */
function simpleText(job: JobConfig): string | undefined {
  const text = scriptTexts(job)
    .map((node) => node.text)
    .join('\n');
  if (UNKNOWN.test(text)) return undefined;
  const commands = text
    .split(/\n|&&|\|\|?|;/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const simple = commands.every((line) => SIMPLE.test(/^\S+/.exec(line)?.[0] ?? ''));
  return simple ? text : undefined;
}

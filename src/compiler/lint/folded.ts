/**
 * Commands on separate lines that YAML folds into one line, by `>` or in a plain multi-line text: the shell
 * runs the first and passes the others as arguments, and the job succeeds. Only lines that begin like
 * commands, and cannot continue the line before, are reported.
 */
import type { Problems } from '../problems.ts';
import type { ScalarNode } from '../yaml/nodes.ts';
import { scriptTexts, writtenLines } from './shell.ts';
import type { JobConfig } from '../job-config.ts';

/** The line continues on the next one, or continues the one before. */
const GOES_ON = /(?:&&|\|\|?|;|\\|,|[({]|\b(?:do|then|else|in))$/;
const CONTINUES = /^(?:&&|\|\|?|;|-|[)}<>"'`$]|(?:do|then|fi|done|else|elif|esac)\b)/;
/** Commands that take a command as argument, and shell syntax over several lines. */
const TAKES_COMMANDS =
  /^(?:sudo|time|env|xargs|ssh|bash|sh|ash|zsh|su|timeout|nice|nohup|exec|watch|npx|retry|eval|command|docker (?:container )?(?:run|exec|compose)|docker-compose|podman|kubectl (?:exec|run)|(?:poetry|pipenv|uv|mise) run|bundle exec|if|for|while|until|case|function|[[({!])(?:\s|$)|\s--(?:\s|$)|\s-c(?:\s|$)/;
const INSTALLS =
  /^(?:apt|apt-get|apk|yum|dnf|microdnf|zypper|pacman|brew|conda|pip3?|npm|yarn|pnpm|gem)\b.*\b(?:install|add|i|-S\w*)\b/;

/** Lines that are commands in any context. */
const COMMAND = new RegExp(
  `^(?:${[
    String.raw`cd\s+\S+$`,
    String.raw`export\s+\w+=`,
    String.raw`echo\s+\S`,
    String.raw`(?:npm|pnpm|yarn)\s+(?:ci|install|run|test|build|publish|lint|start|audit|pack)\b`,
    String.raw`docker\s+(?:build|buildx|push|pull|run|login|logout|tag|save|load|compose|exec|info|version|images)\b`,
    String.raw`git\s+(?:clone|fetch|checkout|push|pull|commit|add|config|tag|submodule|diff|status|log|remote)\b`,
    String.raw`go\s+(?:build|test|vet|mod|run|install|generate|get|fmt)\b`,
    String.raw`cargo\s+(?:build|test|run|clippy|fmt|publish|install|doc)\b`,
    String.raw`(?:apt|apt-get|apk|yum|dnf)\s+(?:-\S+\s+)*(?:update|install|add|upgrade)\b`,
    String.raw`pip3?\s+install\b`,
    String.raw`(?:kubectl|helm)\s+(?:apply|get|delete|rollout|upgrade|install|repo|set|config|create)\b`,
    String.raw`terraform\s+(?:init|plan|apply|validate|fmt|destroy)\b`,
    String.raw`(?:mvn|gradle|\./gradlew|\./mvnw)\s+\S`,
    String.raw`(?:composer|bundle|dotnet|poetry)\s+(?:install|update|build|test|publish|restore|run)\b`,
  ].join('|')})`,
);
/** Lines that are commands, unless they are in a list of packages. */
const LIKELY =
  /^(?:(?:mkdir|rm|cp|mv|touch|chmod|chown|tar|source|pytest|make)\s+\S|(?:curl|wget)\s+(?:-|https?:)|(?:python3?|node|ruby|php|java|perl)\s+\S+|\.\/\S+\.sh\b)/;

export function lintFolded(job: JobConfig, problems: Problems): void {
  for (const node of scriptTexts(job)) {
    if (node.style !== 'folded' && node.style !== 'plain') continue;
    const lines = writtenLines(node);
    const item = node.style === 'plain' ? lines?.slice(1).find((line) => /^- \S/.test(line)) : undefined;
    if (item !== undefined) {
      problems.add('language/folded', `"${short(item)}" is indented too deeply to be an item of the list`, {
        at: placeOf(node, item),
        hint: 'Align its dash with the dash of the item before; now it is part of that item.',
        severity: 'warning',
      });
      continue;
    }
    const lost = lines && lostCommand(lines);
    if (lost === undefined) continue;
    const how = node.style === 'folded' ? '">" folds these lines' : 'without "|" these lines are folded';
    const what = lost.comment ? 'a comment' : 'arguments of the previous command';
    problems.add(
      'language/folded',
      `${how} into one, so "${short(lost.line)}" becomes ${what} and never runs`,
      {
        at: placeOf(node, lost.line),
        severity: 'warning',
      },
    );
  }
}

const short = (line: string): string => (line.length > 60 ? `${line.slice(0, 59)}…` : line);

interface Lost {
  line: string;
  comment: boolean;
}

/** The first line that was meant as a separate command. */
function lostCommand(lines: readonly string[]): Lost | undefined {
  let group: string[] = [];
  for (const line of lines) {
    // Blank lines and lines with deeper indentation are not folded.
    if (line.trim() === '' || /^\s/.test(line)) {
      group = [];
      continue;
    }
    const text = line.trim();
    const lost = group.length > 0 ? lostAfter(group, text) : undefined;
    if (lost) return lost;
    group.push(text);
  }
  return undefined;
}

function lostAfter(group: readonly string[], line: string): Lost | undefined {
  const [first = ''] = group;
  if (first.startsWith('#')) return line.startsWith('#') ? undefined : { line, comment: true };
  const before = group.at(-1) ?? '';
  if (GOES_ON.test(before) || CONTINUES.test(line) || isQuoted(group.join(' '))) return undefined;
  if (group.some((one) => TAKES_COMMANDS.test(one)) || !isCommand(first, false)) return undefined;
  // The words of an echo may look like a command.
  if (/^(?:echo|printf)\b/.test(first) && !/["']$/.test(before) && !/^(?:echo|printf)\b/.test(line))
    return undefined;
  return isCommand(line, INSTALLS.test(first)) ? { line, comment: false } : undefined;
}

const isCommand = (line: string, amongPackages: boolean): boolean =>
  COMMAND.test(line) || (!amongPackages && (LIKELY.test(line) || /^make$/.test(line)));

/** A quote is open at the end of the text. */
function isQuoted(text: string): boolean {
  let open = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === '\\' && open !== "'") at += 1;
    else if (open === '' && (char === '"' || char === "'")) open = char;
    else if (char === open) open = '';
  }
  return open !== '';
}

function placeOf(node: ScalarNode, line: string): Pick<ScalarNode, 'source' | 'offset'> {
  const found = node.source.text.indexOf(line, node.offset);
  return { source: node.source, offset: found === -1 ? node.offset : found };
}

/**
 * Commands on lines of their own that YAML folds into one line, by `>` or because a text without `|` goes on: the shell then
 * runs the first and takes the others for its arguments, and the job is green. Only lines that begin as commands do, and
 * could not go on with the one before, are told of.
 */
import type { Problems } from '../problems.ts';
import type { ScalarNode } from '../yaml/nodes.ts';
import { scriptTexts, writtenLines } from './shell.ts';
import type { JobConfig } from '../job-config.ts';

/** The line goes on with what comes next, or with what was before. */
const GOES_ON = /(?:&&|\|\|?|;|\\|,|[({]|\b(?:do|then|else|in))$/;
const CONTINUES = /^(?:&&|\|\|?|;|-|[)}<>"'`$]|(?:do|then|fi|done|else|elif|esac)\b)/;
/** What takes a command as its argument, and what the shell itself reads over several lines. */
const TAKES_COMMANDS =
  /^(?:sudo|time|env|xargs|ssh|bash|sh|ash|zsh|su|timeout|nice|nohup|exec|watch|npx|retry|eval|command|docker (?:container )?(?:run|exec|compose)|docker-compose|podman|kubectl (?:exec|run)|(?:poetry|pipenv|uv|mise) run|bundle exec|if|for|while|until|case|function|[[({!])(?:\s|$)|\s--(?:\s|$)|\s-c(?:\s|$)/;
const INSTALLS =
  /^(?:apt|apt-get|apk|yum|dnf|microdnf|zypper|pacman|brew|conda|pip3?|npm|yarn|pnpm|gem)\b.*\b(?:install|add|i|-S\w*)\b/;

/** Lines that are commands wherever they stand. */
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
/** Lines that are commands, unless they stand in a list of packages. */
const LIKELY =
  /^(?:(?:mkdir|rm|cp|mv|touch|chmod|chown|tar|source|pytest|make)\s+\S|(?:curl|wget)\s+(?:-|https?:)|(?:python3?|node|ruby|php|java|perl)\s+\S+|\.\/\S+\.sh\b)/;

export function lintFolded(job: JobConfig, problems: Problems): void {
  for (const node of scriptTexts(job)) {
    if (node.style !== 'folded' && node.style !== 'plain') continue;
    const lines = writtenLines(node);
    const item = node.style === 'plain' ? lines?.slice(1).find((line) => /^- \S/.test(line)) : undefined;
    if (item !== undefined) {
      problems.add('language/folded', `"${short(item)}" is indented too deep to be an item of the list`, {
        at: placeOf(node, item),
        hint: 'Put its dash below the dash of the line before; as it is, it belongs to that line.',
        severity: 'warning',
      });
      continue;
    }
    const lost = lines && lostCommand(lines);
    if (lost === undefined) continue;
    const how = node.style === 'folded' ? '">" folds these lines' : 'without "|" these lines are folded';
    const what = lost.comment ? 'a comment' : 'arguments of the command before it';
    problems.add('language/folded', `${how} into one, so "${short(lost.line)}" is ${what}, and never runs`, {
      at: placeOf(node, lost.line),
      severity: 'warning',
    });
  }
}

const short = (line: string): string => (line.length > 60 ? `${line.slice(0, 59)}…` : line);

interface Lost {
  line: string;
  comment: boolean;
}

/** The first line that was meant as a command of its own. */
function lostCommand(lines: readonly string[]): Lost | undefined {
  let group: string[] = [];
  for (const line of lines) {
    // Blank lines, and lines that are indented deeper, stay on lines of their own.
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
  // The words of an echo may well be those of a command.
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

/**
 * The completion script of each shell. It asks `davit complete -- WORDS`, which prints one candidate per
 * line with its description after a tab, and `:files` where names of files fit.
 */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Bash keeps `=` and `:` in words of their own; only the words that the shell itself sees are passed on. */
const BASH = `_davit() {
  local line files=0
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = ':files' ]; then files=1; continue; fi
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(davit complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [ "$files" = 1 ] && [ "\${#COMPREPLY[@]}" -eq 0 ]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
  fi
}
complete -F _davit davit
`;

const ZSH = `#compdef davit
_davit() {
  local line files=0
  local -a found
  for line in "\${(@f)$(davit complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == ':files' ]]; then files=1; continue; fi
    [[ -z $line ]] && continue
    found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( \${#found} )) && _describe 'davit' found
  (( files )) && _files
}
if [ "$funcstack[1]" = '_davit' ]; then _davit "$@"; else compdef _davit davit; fi
`;

const FISH = `function __davit_complete
  set -l words (commandline -opc)[2..-1] (commandline -ct)
  for line in (davit complete -- $words 2>/dev/null)
    if test "$line" = ':files'
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c davit -f -a '(__davit_complete)'
`;

const SCRIPTS: Record<Shell, string> = { bash: BASH, zsh: ZSH, fish: FISH };
export const completionScript = (shell: Shell): string => SCRIPTS[shell];

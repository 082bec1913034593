# fill.sh FILE: the file with __NAME__ replaced by the variable of that name; one that is not set is an error.
set -eu
text="$(cat "$1")"
for name in $(grep -o '__[A-Z][A-Z_]*__' "$1" | sort -u | sed 's/^__//; s/__$//'); do
  eval "value=\${$name?$name is not set}"
  text="$(printf '%s\n' "$text" | sed "s|__${name}__|$value|g")"
done
printf '%s\n' "$text"

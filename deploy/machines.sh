#!/bin/sh
# Adds every machine of a list to the installation of this machine, and brings it up to date when it is run again:
#   deploy/machines.sh [--prepare] FILE
# FILE has one machine per line, as `davit worker add` takes it; # begins a comment:
#   pi4   --docker ssh://pi@pi4.local  --arch arm64
#   zero  --docker ssh://pi@zero.local --arch arm32 --tags gpio --slots 1
# --prepare first installs Docker on machines over ssh that have none (Debian and its derivatives, sudo without a password).
# A machine that fails does not stop the others; the exit code is 1 then. DAVIT names the program, `davit` by default.
set -u
davit=${DAVIT:-davit}
prepare=no
if [ "${1:-}" = --prepare ]; then prepare=yes; shift; fi
if [ $# -ne 1 ] || ! [ -r "$1" ]; then echo "usage: $0 [--prepare] FILE" >&2; exit 2; fi

# Runs there. Its answer is the last line.
there='
if command -v docker >/dev/null && docker version >/dev/null 2>&1; then echo "has an engine"; exit 0; fi
root=; [ "$(id -u)" = 0 ] || root="sudo -n"
export DEBIAN_FRONTEND=noninteractive
if ! command -v docker >/dev/null; then
  $root apt-get install -y --no-install-recommends docker.io >&2 ||
    { $root apt-get update >&2 && $root apt-get install -y --no-install-recommends docker.io >&2; } || exit 1
fi
[ "$(id -u)" = 0 ] || $root usermod -aG docker "$(id -un)" || exit 1
echo "has an engine now"
'
engine() {
  # The address behind --docker, without a path: ssh://USER@HOST:PORT
  address=$(printf '%s\n' "$*" | sed -n 's/.*--docker[ =]\{1,\}\(ssh:\/\/[^ /]*\).*/\1/p')
  [ -n "$address" ] || return 0
  answer=$(ssh -o BatchMode=yes -o ConnectTimeout=15 "$address" "sh -c '$there'" </dev/null) || return 1
  echo "$name: $(printf '%s\n' "$answer" | tail -n 1)"
}

failed=
while read -r name words || [ -n "$name" ]; do
  case $name in '' | '#'*) continue ;; esac
  words=${words%%#*}
  echo "== $name"
  # Words are separated by blanks, as in a command line; none of them needs one inside.
  # shellcheck disable=SC2086
  if { [ $prepare = no ] || engine $words; } && "$davit" worker add "$name" $words </dev/null; then continue; fi
  failed="$failed $name"
done <"$1"
[ -z "$failed" ] || { echo "not added:$failed" >&2; exit 1; }

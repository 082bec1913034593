#!/bin/sh
# Runs the tests whose name holds a word: ./tests/run.sh UNIT, ./tests/run.sh REST, ./tests/run.sh "REST put". With no
# word all of them. The REST tests call the service at $API_URL (http://127.0.0.1:8080).
set -u
cd "$(dirname "$0")/.."
FILTER="${1:-}"
passed=0 failed=0

# check NAME COMMAND...: a test. COMMAND prints what is wrong to standard output, and fails.
check() {
  name=$1
  shift
  case "$name" in
    *"$FILTER"*) ;;
    *) return 0 ;;
  esac
  if said=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok      $name"
  else
    failed=$((failed + 1))
    echo "FAILED  $name"
    echo "$said" | sed 's/^/        /'
  fi
}
# equal WHAT EXPECTED FOUND
equal() {
  [ "$2" = "$3" ] || { echo "$1: expected '$2', found '$3'"; return 1; }
}
fails() { ! "$@"; }

. ./tests/unit.sh
. ./tests/api.sh
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

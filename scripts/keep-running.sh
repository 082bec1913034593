#!/bin/sh
# Runs `davit ARGUMENTS`, and again 5 seconds after it has ended, until this container is stopped. A restart of the container
# would set its health back to "starting" each time, and one that never comes up would never be seen as unhealthy.
child=
stopping=
# shellcheck disable=SC2329 # called by the trap
stop() {
  stopping=1
  [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}
trap stop TERM INT
while [ -z "$stopping" ]; do
  node --optimize-for-size --max-semi-space-size=2 /opt/davit/src/cli/main.ts "$@" &
  child=$!
  [ -z "$stopping" ] || stop
  wait "$child"
  code=$?
  # A signal ends the wait, not the process: it still hands its jobs over.
  while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
  done
  rm -f "${DAVIT_READY_FILE:?}"
  [ -z "$stopping" ] || exit "$code"
  echo "davit $* ended with $code; it is started again in 5 seconds" >&2
  sleep 5 &
  child=$!
  wait "$child"
done

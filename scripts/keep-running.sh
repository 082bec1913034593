#!/bin/sh
# Runs `davit ARGUMENTS`, and restarts it 5 seconds after it has ended, until this container is stopped. A restart of the
# container would reset its health to "starting" each time, so a davit that never starts would never count as unhealthy.
child=
stopping=
# shellcheck disable=SC2329 # called by the trap
stop() {
  stopping=1
  [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}
trap stop TERM INT
while [ -z "$stopping" ]; do
  node --max-semi-space-size=2 /opt/davit/src/cli/main.ts "$@" &
  child=$!
  [ -z "$stopping" ] || stop
  wait "$child"
  code=$?
  # A signal ends the wait, not the process: davit still hands its jobs over.
  while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
  done
  rm -f "${DAVIT_READY_FILE:?}"
  [ -z "$stopping" ] || exit "$code"
  echo "davit $* ended with $code; restarting in 5 seconds" >&2
  sleep 5 &
  child=$!
  wait "$child"
done

#!/bin/sh
# Makes what docker-compose.yml needs and nobody should write by hand: secrets, and the group of the engine's socket.
# What is there already is kept. The folder is closed to everybody else; the files in it are open to the users that the
# containers run as.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets ssh
chmod 0700 secrets
for name in postgres-password worker-token cli-token; do
  [ -s "secrets/$name" ] && continue
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"secrets/$name.new"
  chmod 0444 "secrets/$name.new"
  mv "secrets/$name.new" "secrets/$name"
  echo "made compose/secrets/$name"
done
socket="${DOCKER_SOCKET:-/var/run/docker.sock}"
if ! grep -qs '^DOCKER_GID=' ../.env; then
  group=$(stat -c %g "$socket") || { echo "there is no engine at $socket" >&2; exit 1; }
  echo "DOCKER_GID=$group" >>../.env
  echo "added DOCKER_GID=$group to .env"
fi

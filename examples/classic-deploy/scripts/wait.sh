# wait.sh SERVICE: until the service runs as it was asked to, at most 30 s.
set -eu
tries=0
until docker service ls --filter "name=$1" --format '{{.Replicas}}' | grep -q '^1/1'; do
  tries=$((tries + 1))
  test "$tries" -lt 150 || { docker service ps --no-trunc "$1"; exit 1; }
  sleep 0.2
done

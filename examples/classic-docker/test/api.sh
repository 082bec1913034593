# Against the container that runs the built image. Argument: the version that it must have.
set -eu
base=http://127.0.0.1:8080
tries=0
until wget -q -O /dev/null "$base/version"; do
  tries=$((tries + 1))
  test "$tries" -lt 50 || { echo "it does not answer" >&2; exit 1; }
  sleep 0.1
done
test "$(wget -q -O - "$base/version")" = "$1"
test "$(wget -q -O - "$base/cgi-bin/greet?Ada")" = "hello Ada"
if wget -q -O - "$base/cgi-bin/greet?a.b"; then echo "a name with a dot was taken" >&2; exit 1; fi
echo "3 passed"

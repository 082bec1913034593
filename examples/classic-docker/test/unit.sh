# The script by itself, as the web server would call it.
set -eu
cd "$(dirname "$0")/.."
answer() { QUERY_STRING="$1" sh www/cgi-bin/greet | tail -n 1 | tr -d '\r'; }
test "$(answer Ada)" = "hello Ada"
test "$(answer "")" = "nobody"
test "$(answer "a&b")" = "nobody"
echo "3 passed"

# Tests of the running service over its API. run.sh reads this file.
API_URL="${API_URL:-http://127.0.0.1:8080}"
authority=${API_URL#http://}
authority=${authority%%/*}
api_host=${authority%%:*}
api_port=${authority##*:}
[ "$api_port" = "$authority" ] && api_port=80
# Several runs may test one service.
row="t$$-$(date +%s)"

# call METHOD PATH [BODY]: sets status, head and body. busybox wget knows neither PUT nor DELETE.
call() {
  reply=$({
    printf '%s %s HTTP/1.1\r\nHost: %s\r\n' "$1" "$2" "$authority"
    [ $# -gt 2 ] && printf 'Content-Length: %s\r\n' "${#3}"
    printf '\r\n%s' "${3:-}"
  } | timeout 20 nc -w 10 "$api_host" "$api_port" | tr -d '\r')
  status=$(echo "$reply" | sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p')
  head=$(echo "$reply" | sed '/^$/q')
  body=$(echo "$reply" | sed '1,/^$/d')
}
# answers STATUS METHOD PATH [BODY]
answers() {
  expected=$1
  shift
  call "$@"
  equal "$1 $2" "$expected" "$status"
}

check 'REST health' answers 200 GET /health
reports_version() {
  call GET /version
  equal status 200 "$status" || return 1
  [ -z "${VERSION:-}" ] || echo "$body" | grep -q "\"version\":\"$VERSION\"" || { echo "not $VERSION: $body"; return 1; }
  echo "$body" | grep -q '"platform":"linux/' || { echo "no platform: $body"; return 1; }
}
check 'REST version: the one that was built' reports_version

lives() {
  answers 404 GET "/rows/$row" || return 1
  answers 201 PUT "/rows/$row" 'first value' || return 1
  answers 200 GET "/rows/$row" || return 1
  equal value 'first value' "$body" || return 1
  answers 200 PUT "/rows/$row" 'second' || return 1
  answers 200 GET "/rows/$row?any=thing" || return 1
  equal value second "$body" || return 1
  answers 200 GET /rows || return 1
  echo "$body" | grep -q "{\"id\":\"$row\",\"bytes\":6}" || { echo "not listed: $body"; return 1; }
  answers 204 DELETE "/rows/$row" || return 1
  answers 404 GET "/rows/$row" || return 1
  answers 404 DELETE "/rows/$row"
}
check 'REST row: put, get, put again, list, delete' lives

check 'REST path: there is no other one' answers 404 GET /etc/passwd
for path in /rows/../../etc/passwd /rows/%2e%2e%2fetc /rows/.hidden /rows/ /rows/a/b; do
  check "REST id: $path is refused" answers 400 GET "$path"
done
check 'REST method: health takes GET only' answers 405 DELETE /health
check 'REST method: a row takes no POST' answers 405 POST "/rows/$row" x
names_methods() {
  call PATCH "/rows/$row"
  echo "$head" | grep -q '^Allow: GET, PUT, DELETE$' || { echo "$head"; return 1; }
}
check 'REST method: the answer names what is allowed' names_methods
check 'REST put: without a length' answers 411 PUT "/rows/$row"
check 'REST put: too large' answers 413 PUT "/rows/$row" "$(head -c 65537 /dev/zero | tr '\0' x)"
nonsense() {
  equal status 400 "$(printf 'hello\r\n\r\n' | timeout 20 nc -w 10 "$api_host" "$api_port" | sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p')"
}
check 'REST request: nonsense is refused' nonsense

# Tests of the rules in app/lib.sh. run.sh reads this file.
. ./app/lib.sh

for id in a A-1 x_y.z 0123456789 "$(printf '%064d' 1)"; do
  check "UNIT id: $id is one" valid_id "$id"
done
for id in '' . .. .hidden a/b ../etc 'a b' 'a;b' 'é' '%2e%2e' '*' "$(printf '%065d' 1)"; do
  check "UNIT id: '$id' is none" fails valid_id "$id"
done

for length in 0 7 65536; do check "UNIT length: $length is one" valid_length "$length"; done
for length in '' -1 1e3 '1 2' 12345678901234; do check "UNIT length: '$length' is none" fails valid_length "$length"; done

check 'UNIT route: health' equal route health "$(route /health)"
check 'UNIT route: rows' equal route rows "$(route /rows)"
check 'UNIT route: one row' equal route 'row a.b' "$(route /rows/a.b)"
check 'UNIT route: a path that climbs is no row' equal route bad-id "$(route /rows/../../etc/passwd)"
check 'UNIT route: an escaped path is no row' equal route bad-id "$(route /rows/%2e%2e%2fpasswd)"
check 'UNIT route: an empty id is no row' equal route bad-id "$(route /rows/)"
check 'UNIT route: anything else is nothing' equal route '' "$(route /etc/passwd)"

stores_and_lists() {
  folder=$(mktemp -d) || return 1
  equal 'list of nothing' '{"rows":[]}' "$(list_rows "$folder")" || return 1
  printf 'hello' | put_row "$folder" b 5
  equal 'a new row' 0 $? || return 1
  printf 'other!' | put_row "$folder" b 6
  equal 'the same row' 10 $? || return 1
  : | put_row "$folder" a 0
  equal list '{"rows":[{"id":"a","bytes":0},{"id":"b","bytes":6}]}' "$(list_rows "$folder")" || return 1
  printf 'cut' | put_row "$folder" c 9
  equal 'a body cut short' 2 $? || return 1
  equal 'files left' 'a b' "$(ls -A "$folder" | tr '\n' ' ' | sed 's/ $//')" || return 1
  rm -r "$folder"
}
check 'UNIT rows: stored whole or not at all, and listed' stores_and_lists

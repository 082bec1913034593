# The rules of the service, without the network: what is an id, what a request asks for, where a row lies.
# The tests of tests/unit.sh call these functions as they are.

MAX_VALUE=65536

# An id names a file, so it is a name and nothing else: no slash, no dot in front, no longer than 64.
valid_id() { # ID
  [ "${#1}" -le 64 ] || return 1
  case "$1" in
    '' | .* | *[!A-Za-z0-9._-]*) return 1 ;;
  esac
}

valid_length() { # CONTENT-LENGTH
  case "$1" in
    '' | *[!0-9]* | ??????????*) return 1 ;;
  esac
}

# Prints what a path is about: health, version, rows, "row ID", bad-id or nothing. Nothing is decoded, so %2e%2e is no id.
route() { # PATH
  case "$1" in
    /health) echo health ;;
    /version) echo version ;;
    /rows) echo rows ;;
    /rows/*) if valid_id "${1#/rows/}"; then echo "row ${1#/rows/}"; else echo bad-id; fi ;;
  esac
}

reason() { # STATUS
  case "$1" in
    200) echo OK ;;
    201) echo Created ;;
    204) echo No Content ;;
    400) echo Bad Request ;;
    404) echo Not Found ;;
    405) echo Method Not Allowed ;;
    408) echo Request Timeout ;;
    411) echo Length Required ;;
    413) echo Content Too Large ;;
    431) echo Request Header Fields Too Large ;;
    501) echo Not Implemented ;;
    503) echo Service Unavailable ;;
    *) echo Error ;;
  esac
}

# All rows as JSON, sorted. An id needs no escape: its alphabet has no character that JSON knows.
list_rows() { # FOLDER
  printf '{"rows":['
  comma=''
  for file in "$1"/*; do
    [ -f "$file" ] || continue
    printf '%s{"id":"%s","bytes":%s}' "$comma" "${file##*/}" "$(wc -c <"$file")"
    comma=','
  done
  printf ']}\n'
}

# Stores standard input under an id, whole or not at all; 0: it is new, 10: it replaced one, else it failed.
put_row() { # FOLDER ID LENGTH
  new=$(mktemp "$1/.new.XXXXXX") || return 1
  if ! head -c "$3" >"$new" || [ "$(wc -c <"$new")" -ne "$3" ]; then
    rm -f "$new"
    return 2
  fi
  was=0
  [ -f "$1/$2" ] && was=10
  mv -f "$new" "$1/$2" || return 1
  return "$was"
}

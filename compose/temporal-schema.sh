#!/bin/sh
# Creates Temporal's two databases, or upgrades them to this version. Running it again changes nothing.
set -eu
: "${SQL_PASSWORD:=$(cat /run/secrets/postgres-password)}"
: "${SQL_HOST:=postgresql}" "${SQL_PORT:=5432}" "${SQL_USER:=temporal}" "${SQL_PLUGIN:=postgres12}"
export SQL_PASSWORD SQL_HOST SQL_PORT SQL_USER SQL_PLUGIN
sql() { # DATABASE ARGUMENTS
  database=$1
  shift
  temporal-sql-tool --database "$database" "$@"
}
prepare() { # DATABASE SCHEMA
  # Both fail if the database exists; the last step shows real errors.
  sql "$1" create || true
  sql "$1" setup-schema -v 0.0 || true
  sql "$1" update-schema --schema-name "postgresql/v12/$2"
}
prepare temporal temporal
prepare temporal_visibility visibility

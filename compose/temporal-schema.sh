#!/bin/sh
# Makes Temporal's two databases, or upgrades them to this version. Running it again changes nothing.
set -eu
SQL_PASSWORD=$(cat /run/secrets/postgres-password)
export SQL_PASSWORD
sql() { # DATABASE ARGUMENTS
  database=$1
  shift
  temporal-sql-tool --plugin postgres12 --endpoint postgresql --port 5432 --user temporal --database "$database" "$@"
}
prepare() { # DATABASE SCHEMA
  # Both fail when it is there already; what is really wrong shows in the last step.
  sql "$1" create || true
  sql "$1" setup-schema -v 0.0 || true
  sql "$1" update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}
prepare temporal temporal
prepare temporal_visibility visibility

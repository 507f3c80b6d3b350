#!/bin/sh
# Runs once, at the first start of an empty PostgreSQL: who owns the schema, and who serves and owns nothing.
set -eu
owner=$(cat /run/secrets/postgres/owner-password)
service=$(cat /run/secrets/postgres/service-password)
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set owner="$owner" --set service="$service" <<'SQL'
CREATE ROLE payment_owner LOGIN PASSWORD :'owner';
CREATE ROLE payment_user LOGIN PASSWORD :'service';
CREATE DATABASE payment_db OWNER payment_owner;
REVOKE ALL ON DATABASE payment_db FROM PUBLIC;
GRANT CONNECT ON DATABASE payment_db TO payment_user;
SQL

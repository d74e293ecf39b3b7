#!/bin/sh
# PostGIS under the same question as `nearcast bench fixes`: each transaction moves one of 1,000
# objects and asks which of 10,000 circles it is in. A cluster of its own on a socket of its own,
# without fsync; prints one line of JSON. Needs Debian's postgresql and postgresql-*-postgis-3.
#
#   benches/peers/postgis.sh SECONDS
set -eu

seconds=$1
programs=$(echo /usr/lib/postgresql/*/bin)
scratch=$(mktemp -d)
# The server refuses to run as root.
as=
if [ "$(id -u)" = 0 ]; then
    chown postgres "$scratch"
    as="runuser -u postgres --"
fi
stop() {
    $as "$programs/pg_ctl" -D "$scratch/data" -m immediate -w stop > /dev/null 2>&1 || :
    rm -rf "$scratch"
}
trap stop EXIT
trap 'exit 130' INT TERM
cd "$scratch"

$as "$programs/initdb" -D "$scratch/data" -A trust -U postgres --no-sync > /dev/null
$as "$programs/pg_ctl" -D "$scratch/data" -l "$scratch/log" -w start -o "-c listen_addresses='' -k $scratch \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=256MB" > /dev/null
sql() {
    $as "$programs/psql" -h "$scratch" -U postgres -q -v ON_ERROR_STOP=1 "$@"
}
sql > /dev/null <<'SQL'
CREATE EXTENSION postgis;
CREATE TABLE fences AS
    SELECT number, ST_MakePoint(16.2 + random() * 0.269, 48.1 + random() * 0.18)::geography AS place
    FROM generate_series(1, 10000) number;
CREATE INDEX ON fences USING gist (place);
CREATE TABLE objects (number int PRIMARY KEY, place geography);
INSERT INTO objects SELECT number, 'POINT(16.2 48.1)' FROM generate_series(1, 1000) number;
ANALYZE fences;
SQL
cat > "$scratch/fix.sql" <<'SQL'
\set number random(1, 1000)
\set lng random(162000, 164690)
\set lat random(481000, 482800)
UPDATE objects SET place = ST_MakePoint(:lng / 10000.0, :lat / 10000.0)::geography WHERE number = :number;
SELECT number FROM fences
    WHERE ST_DWithin(place, ST_MakePoint(:lng / 10000.0, :lat / 10000.0)::geography, 200, false);
SQL
chmod a+r "$scratch/fix.sql"
# Milliseconds of processor time of the cluster's processes, those that ended included.
cpu() {
    main=$(head -n 1 "$scratch/data/postmaster.pid")
    cat "/proc/$main/stat" $(for pid in $(cat "/proc/$main/task/$main/children"); do echo "/proc/$pid/stat"; done) |
        awk '{ sub(/.*\) /, ""); sum += $12 + $13 + (NR == 1 ? $14 + $15 : 0) } END { print sum * 10 }'
}
before=$(cpu)
$as "$programs/pgbench" -h "$scratch" -U postgres -n -M prepared -f "$scratch/fix.sql" -c 8 -j 1 \
    -T "$seconds" postgres > "$scratch/report" 2> "$scratch/fault" || { cat "$scratch/fault" >&2; exit 1; }
after=$(cpu)
awk -v cpu=$((after - before)) -v seconds="$seconds" '
    /transactions actually processed/ { count = $NF + 0 }
    /^tps/ { rate = $3 }
    /latency average/ { latency = $4 }
    END {
        printf "{\"fixes\":%d,\"fixes_per_s\":%.0f,\"server_cpu_us_per_fix\":%.2f,\"server_cores\":%.2f,\"average_us\":%.0f}\n",
            count, rate, cpu * 1000 / count, cpu / 1000 / seconds, latency * 1000
    }' "$scratch/report"

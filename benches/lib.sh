# What the benches share: a server at a time, from the start to what it printed. For `.`, below the
# project's root.

bench=${NEARCAST:-target/release/nearcast}
if ! [ -x "$bench" ]; then
    echo "$0: no $bench; run cargo build --release" >&2
    exit 2
fi

# seconds MOST [SECONDS]: how long a run publishes.
seconds() {
    seconds=${2:-8}
    if [ "$seconds" -gt "$1" ]; then
        echo "$0: at most $1 seconds" >&2
        exit 2
    fi
}

# Both ends of all connections are on this machine, in two processes.
open_files() {
    ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -H -n)"
    if [ "$(ulimit -n)" != unlimited ] && [ "$(ulimit -n)" -lt "$1" ]; then
        echo "$0: ulimit -n is $(ulimit -n), not $1" >&2
        exit 1
    fi
}

scratch=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || :
        wait "$server" 2>/dev/null || :
        server=
    fi
}
trap 'stop; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND...: a fresh server, until it has printed where it listens.
start() {
    name=$1
    shift
    : > "$scratch/address"
    "$@" > "$scratch/address" 2> "$scratch/log" &
    server=$!
    tries=0
    until [ -s "$scratch/address" ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
            echo "$0: $name does not start:" >&2
            cat "$scratch/log" >&2
            exit 1
        fi
        sleep 0.1
    done
    address=$(sed 's/.*"\(address\|http\)":"\([^"]*\)".*/\2/' "$scratch/address")
}

# field NAME FILE: a number of a report.
field() {
    sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$2"
}

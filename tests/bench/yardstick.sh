# Sourced by the benchmarks on the streaming workload: its yardstick (generator, oracle, watcher of commits, CPU and memory)
# lies beside the project, not in it. Without ../shared/tools/retail60 (or RETAIL60_TOOLS) nothing is measured, and the exit
# status (66) says so. Files go to R60, by default a folder of the user's own below /tmp.
set -euo pipefail

bench_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$bench_folder/../.." && pwd)
tidecast=${TIDECAST_BINARY:-$project/build/release/tidecast}
yardstick=${RETAIL60_TOOLS:-$project/../shared/tools/retail60}
bench_name=$(basename "$0" .sh)

# open_yardstick EVENTS: tools, broker, topics and oracle are there. Ends the broker with the script unless KEEP_BROKER is set.
open_yardstick() {
  if [ ! -x "$yardstick/run_candidate.sh" ]; then
    echo "$bench_name: NOT MEASURED: the yardstick is not at $yardstick (set RETAIL60_TOOLS)" >&2
    exit 66
  fi
  yardstick=$(cd "$yardstick" && pwd)
  export EVENTS=$1 R60=${R60:-/tmp/tidecast-retail60-$(id -u)-$1} BROKERS=${BROKERS:-127.0.0.1:19292}
  export WORDS=${WORDS:-1} KAFKA_LOCAL_HOME=${KAFKA_LOCAL_HOME:-$R60/kafka}
  mkdir -p "$R60/run"
  tools=$R60/build/tools
  if [ ! -x "$tools/lagwatch" ]; then
    echo "$bench_name: building the yardstick's tools" >&2
    cmake -S "$yardstick" -B "$tools" >"$R60/cmake.log"
    cmake --build "$tools" -j2 >>"$R60/cmake.log"
  fi
  echo "$bench_name: broker, topics, $EVENTS events, oracle" >&2
  (cd "$yardstick" && bash -c '. ./common.sh; setup') >&2
  [ -n "${KEEP_BROKER:-}" ] || trap stop_broker EXIT
}

stop_broker() { "$yardstick/../kafka/kafka-local" stop --dir "$R60/broker" >&2; }

# open_namespace CONFIG: a namespace of its own, since a group's positions outlive the topics of a run before. Sets `ns` and
# `config`, and points the engine to broker and state.
open_namespace() {
  ns=r60-$(date +%s%N | cut -c1-13)
  config=$R60/$ns.yaml
  sed "s/r60/$ns/g" "$1" >"$config"
  export TIDECAST__STATE__DIRECTORY=$R60/$ns TIDECAST__KAFKA__BOOTSTRAP_SERVERS=$BROKERS
  GROUP=tidecast.$ns
  export GROUP
}

close_namespace() {
  "$tools/lagwatch" delete --brokers "$BROKERS" "$ns." >&2
  rm -rf "${R60:?}/$ns" "$R60/$ns".*
}

# What the restarts share: `log` of the engine, `ask` (the watcher's words), `pid` of the engine, `times` (ms) so far.
launch() { "$tidecast" run "$config" >>"$log" 2>&1 </dev/null & pid=$!; }

# The most memory that any life of the engine took so far, in KiB: `peak_kib`.
note_peak() {
  local now
  now=$(awk '/VmHWM/{print $2}' "/proc/$pid/status" 2>/dev/null) || true
  if [ "${now:-0}" -gt "${peak_kib:-0}" ]; then peak_kib=$now; fi
}

# kill -9 and start again; sets `base` (committed then) and adds the time to the first commit with new input. The watcher's
# own start is in the time; were it later than the commit, the next one would be taken.
time_restart() {
  local killed seen
  note_peak
  { kill -9 "$pid"; wait "$pid"; } 2>/dev/null || true
  killed=$(date +%s%3N)
  launch
  base=$("$tools/lagwatch" committed "${ask[@]}")
  read -r seen _ < <("$tools/lagwatch" wait "${ask[@]}" --above "$base" --max 120)
  times+=($((seen - killed)))
  mib=$(du -sm "$R60/$ns" | cut -f1)
  echo "$bench_name: kill ${#times[@]} at $base events: $((seen - killed)) ms, state $mib MiB" >&2
}

# restart_times: "kills", "median_ms", "worst_ms", "all_ms" of a JSON object.
restart_times() {
  local sorted
  mapfile -t sorted < <(printf '%s\n' "${times[@]}" | sort -n)
  printf '"kills":%d,"median_ms":%d,"worst_ms":%d,"all_ms":[%s]' "${#times[@]}" "${sorted[$((${#times[@]} / 2))]}" "${sorted[-1]}" \
    "$(IFS=,; echo "${times[*]}")"
}

# field NAME JSON: a number of the yardstick's line.
field() { grep -o "\"$1\":[0-9.]*" <<<"$2" | head -n 1 | cut -d: -f2; }

#!/usr/bin/env bash
# Retail-60 on a real broker, judged by the oracle: ./dev bench retail60 [--events N] [--interval 1s] [--keep-broker]
# The yardstick (generator, oracle, lag watcher) lies beside the project, not in it: without ../shared/tools/retail60
# nothing is measured, and the exit status says so. Files go to R60 (default: a folder of the user's own below /tmp).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$here/../.." && pwd)
tools=${RETAIL60_TOOLS:-$project/../shared/tools/retail60}
events=8000000 interval=1s keep=false
while [ $# -gt 0 ]; do
  case $1 in
    --events) events=$2; shift 2 ;;
    --interval) interval=$2; shift 2 ;;
    --keep-broker) keep=true; shift ;;
    *) sed -n '2,4p' "${BASH_SOURCE[0]}" >&2; exit 64 ;;
  esac
done
if [ ! -x "$tools/run_candidate.sh" ]; then
  echo "retail60: NOT MEASURED: the yardstick is not at $tools (set RETAIL60_TOOLS)" >&2
  exit 66
fi
export R60=${R60:-/tmp/tidecast-retail60-$(id -u)-$events} BROKERS=${BROKERS:-127.0.0.1:19292} EVENTS=$events WORDS=${WORDS:-1}
export KAFKA_LOCAL_HOME=${KAFKA_LOCAL_HOME:-$R60/kafka}
mkdir -p "$R60/run"
build=$R60/build/tools
if [ ! -x "$build/lagwatch" ]; then
  echo "retail60: building the yardstick's tools" >&2
  cmake -S "$tools" -B "$build" >"$R60/cmake.log"
  cmake --build "$build" -j2 >>"$R60/cmake.log"
fi
echo "retail60: broker, topics, $events events, oracle" >&2
(cd "$tools" && bash -c '. ./common.sh; setup') >&2
$keep || trap '"$tools/../kafka/kafka-local" stop --dir "$R60/broker" >&2' EXIT
# A namespace of its own: a group's committed offsets outlive the topics of a run before.
ns=r60-$(date +%s)
sed "s/r60/$ns/g" "$here/retail60.yaml" >"$R60/$ns.yaml"
result=$(
  GROUP=tidecast.$ns FEATURES=$ns.features SESSIONS=$ns.sessions LATE=$ns.late WARMUP=${WARMUP:-5} \
    TIDECAST__STATE__DIRECTORY=$R60/$ns TIDECAST__COMMIT__INTERVAL=$interval TIDECAST__KAFKA__BOOTSTRAP_SERVERS=$BROKERS \
    "$tools/run_candidate.sh" "$project/build/release/tidecast" run "$R60/$ns.yaml"
)
"$build/lagwatch" delete --brokers "$BROKERS" "$ns." >&2
rm -rf "${R60:?}/$ns" "$R60/$ns.yaml"
printf '%s\n' "$result"
grep -q '"correct":true' <<<"$result" || { echo "retail60: the windows are NOT those of the oracle" >&2; exit 1; }

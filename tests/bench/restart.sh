#!/usr/bin/env bash
# kill -9 to the first commit with new input, over and over in one run of Retail-60, which the oracle judges in the end:
#   ./dev bench restart [--kills 20] [--every 300000] [--interval 1s] [--keep-broker]
. "$(dirname "${BASH_SOURCE[0]}")/yardstick.sh"
events=8000000 kills=20 every=300000
while [ $# -gt 0 ]; do
  case $1 in
    --events) events=$2; shift 2 ;;
    --kills) kills=$2; shift 2 ;;
    --every) every=$2; shift 2 ;;
    --interval) export TIDECAST__COMMIT__INTERVAL=$2; shift 2 ;;
    --keep-broker) KEEP_BROKER=1; shift ;;
    *) sed -n 2,3p "${BASH_SOURCE[0]}" >&2; exit 64 ;;
  esac
done
open_yardstick "$events"
open_namespace "$bench_folder/retail60.yaml"
log=$R60/$ns.log
ask=(--brokers "$BROKERS" --group "$GROUP" --topics orders,clicks)
trap 'kill -9 "$pid" 2>/dev/null || true; stop_broker' EXIT
[ -z "${KEEP_BROKER:-}" ] || trap 'kill -9 "$pid" 2>/dev/null || true' EXIT
launch
times=()
base=0
for ((i = 0; i < kills; ++i)); do
  "$tools/lagwatch" wait "${ask[@]}" --above $((base + every)) --max 300 >/dev/null
  time_restart
done
"$tools/lagwatch" wait "${ask[@]}" --above $(($("$tools/lagwatch" total --brokers "$BROKERS" --topics orders,clicks) - 1)) --max 600 >/dev/null
kill -TERM "$pid"
wait "$pid" || true
check=$("$tools/check" --brokers "$BROKERS" --oracle "$R60/oracle-$EVENTS.bin" --features "$ns.features" --sessions "$ns.sessions" --late "$ns.late" 2>/dev/null) || true
printf '{%s,"check":%s}\n' "$(restart_times)" "${check:-null}"
close_namespace
grep -q '"correct":true' <<<"$check" || { echo "restart: the windows are NOT those of the oracle" >&2; exit 1; }

#!/usr/bin/env bash
# Retail-60 on a real broker, judged by the oracle: ./dev bench retail60 [--events N] [--interval 1s] [--keep-broker]
. "$(dirname "${BASH_SOURCE[0]}")/yardstick.sh"
events=8000000
while [ $# -gt 0 ]; do
  case $1 in
    --events) events=$2; shift 2 ;;
    --interval) export TIDECAST__COMMIT__INTERVAL=$2; shift 2 ;;
    --keep-broker) KEEP_BROKER=1; shift ;;
    *) sed -n 2p "${BASH_SOURCE[0]}" >&2; exit 64 ;;
  esac
done
open_yardstick "$events"
open_namespace "$bench_folder/retail60.yaml"
result=$(FEATURES=$ns.features SESSIONS=$ns.sessions LATE=$ns.late WARMUP=${WARMUP:-5} \
  "$yardstick/run_candidate.sh" "$tidecast" run "$config")
close_namespace
printf '%s\n' "$result"
grep -q '"correct":true' <<<"$result" || { echo "retail60: the windows are NOT those of the oracle" >&2; exit 1; }

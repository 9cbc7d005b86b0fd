#!/usr/bin/env bash
# Very many series and partitions under a memory limit, every row checked:
#   ./dev bench wide [--series 1000000] [--partitions 100] [--minutes 5] [--limit 1GiB] [--keep-broker]
. "$(dirname "${BASH_SOURCE[0]}")/yardstick.sh"
series=1000000 partitions=100 minutes=5 limit=1GiB
while [ $# -gt 0 ]; do
  case $1 in
    --series) series=$2; shift 2 ;;
    --partitions) partitions=$2; shift 2 ;;
    --minutes) minutes=$2; shift 2 ;;
    --limit) limit=$2; shift 2 ;;
    --keep-broker) KEEP_BROKER=1; shift ;;
    *) sed -n 2,3p "${BASH_SOURCE[0]}" >&2; exit 64 ;;
  esac
done
open_yardstick "${EVENTS:-8000000}"
open_namespace "$bench_folder/wide.yaml"
size=("$BROKERS" "$ns" "$partitions" "$series" "$minutes" 60)
client=$project/build/release/tests/bench/clients/many_series
"$client" feed "${size[@]}" >&2
"$client" end "${size[@]}"
export TIDECAST__STATE__MEMORY_LIMIT=$limit
result=$(TOPICS=$ns.orders WARMUP=${WARMUP:-2} "$yardstick/run_candidate.sh" "$tidecast" run "$config")
check=$("$client" check "${size[@]}") || true
printf '{"series":%s,"partitions":%s,"limit":"%s","result":%s,"rows":%s}\n' "$series" "$partitions" "$limit" "$result" "${check:-null}"
close_namespace
grep -q '"correct":true' <<<"$check" || { echo "wide: the rows are NOT those of the orders" >&2; exit 1; }

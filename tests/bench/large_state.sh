#!/usr/bin/env bash
# kill -9 to the first commit with new input, where the state is large: a model and closed windows of very many series,
# while orders go on coming. Every row is checked in the end:
#   ./dev bench large_state [--series 100000] [--buckets 4] [--partitions 8] [--kills 20] [--rate 2000] [--model lstm] [--limit 2GiB]
#     [--hours]       buckets of an hour and a real target 48 hours ahead: more state a series
#     [--minutes N]   buckets of hours, and windows of their first N minutes beside them: 15 features, kept for a day
. "$(dirname "${BASH_SOURCE[0]}")/yardstick.sh"
series=100000 buckets=4 partitions=8 kills=20 rate=2000 model=lstm limit=2GiB seconds=60 minutes=1
while [ $# -gt 0 ]; do
  case $1 in
    --series) series=$2; shift 2 ;;
    --buckets) buckets=$2; shift 2 ;;
    --partitions) partitions=$2; shift 2 ;;
    --kills) kills=$2; shift 2 ;;
    --hours) hours=1; shift ;;
    --minutes) minutes=$2; shift 2 ;;
    --rate) rate=$2; shift 2 ;;
    --model) model=$2; shift 2 ;;
    --limit) limit=$2; shift 2 ;;
    *) sed -n 2,6p "${BASH_SOURCE[0]}" >&2; exit 64 ;;
  esac
done
open_yardstick "${EVENTS:-100000}"
open_namespace "$bench_folder/large_state.yaml"
if [ -n "${hours:-}" ]; then
  seconds=3600
  sed -i 's/bucket: 1m/bucket: 1h/; s/horizon: 14/horizon: 48/; s/target: units/target: units\n    domain: real/' "$config"
fi
if [ "$minutes" -gt 1 ]; then
  for span in 1 2 3 4 6 8 12 24; do [ $((span * 60)) -lt "$minutes" ] || break; done
  seconds=$((span * 3600))
  features=$(for field in quantity unit_price amount; do
    for aggregate in sum mean max min last; do echo "      ${field}_$aggregate: {input: orders, $aggregate: $field}"; done
  done)
  minute_view="  minute:
    bucket: 1m
    emit_empty: false
    forecast: false
    allowed_lateness: 1d
    features:
$features
    target: quantity_sum
    rows: {topic: $ns.minutes, headers: none, times: millis, fields: {sku: series, end: end, units: quantity_sum}}"
  awk -v view="$minute_view" '/^model:/ {print view} {print}' "$config" >"$config.minutes"
  mv "$config.minutes" "$config"
  sed -i "0,/bucket: 1m/s//bucket: ${span}h/" "$config"
fi
export TIDECAST__STATE__MEMORY_LIMIT=$limit TIDECAST__MODEL__KIND=$model
client=$project/build/release/tests/bench/clients/many_series
size=("$BROKERS" "$ns" "$partitions" "$series" "$buckets" "$seconds")
log=$R60/$ns.log
ask=(--brokers "$BROKERS" --group "$GROUP" --topics "$ns.orders")
pid=0 dripping=0 feeding=0
trap 'kill -9 "$pid" "$dripping" "$feeding" 2>/dev/null || true; stop_broker' EXIT
[ -z "${KEEP_BROKER:-}" ] || trap 'kill -9 "$pid" "$dripping" "$feeding" 2>/dev/null || true' EXIT
"$client" feed "${size[@]}" "$minutes" >&2 & feeding=$!
sleep 1
launch
wait "$feeding"
kill -0 "$pid" || { tail "$log" >&2; exit 1; }
"$client" drip "${size[@]}" "$rate" >"$R60/$ns.dripped" & dripping=$!
# The model's rounds come before new input: once that comes at its own rate, the state stands.
"$tools/lagwatch" wait "${ask[@]}" --above $((series * buckets * minutes + 1)) --max 3600 >/dev/null
for ((steady = 0; steady < 3;)); do
  before=$("$tools/lagwatch" committed "${ask[@]}")
  sleep 5
  read_in_5s=$(($("$tools/lagwatch" committed "${ask[@]}") - before))
  if [ "$read_in_5s" -gt $((4 * rate)) ] && [ "$read_in_5s" -lt $((6 * rate)) ]; then steady=$((steady + 1)); else steady=0; fi
done
times=()
for ((i = 0; i < kills; ++i)); do
  sleep 2.$((RANDOM % 10))
  time_restart
done
kill -TERM "$dripping"
wait "$dripping" || true
dripped=$(cat "$R60/$ns.dripped")
"$client" end "${size[@]}"
"$tools/lagwatch" wait "${ask[@]}" --above $((series * buckets * minutes + dripped + partitions - 1)) --max 3600 >/dev/null
sleep 3
note_peak
kill -TERM "$pid"
wait "$pid" || true
check=$("$client" check "${size[@]}" "$dripped") || true
printf '{"series":%d,"model":"%s","state_mib":%d,"peak_rss_kib":%d,%s,"dripped":%d,"check":%s}\n' "$series" "$model" "$mib" "$peak_kib" "$(restart_times)" "$dripped" "${check:-null}"
close_namespace
grep -q '"correct":true' <<<"$check" || { echo "large_state: the rows are NOT those of the orders" >&2; exit 1; }

#!/usr/bin/env bash
# From an event to the rows that it let close being visible, commits of 100 ms, at a fixed rate (half of what drains):
#   ./dev bench latency [--rate 80000] [--events N] [--interval 100ms] [--keep-broker]
. "$(dirname "${BASH_SOURCE[0]}")/yardstick.sh"
events=8000000 rate=80000 interval=100ms
while [ $# -gt 0 ]; do
  case $1 in
    --events) events=$2; shift 2 ;;
    --rate) rate=$2; shift 2 ;;
    --interval) interval=$2; shift 2 ;;
    --keep-broker) KEEP_BROKER=1; shift ;;
    *) sed -n 2,3p "${BASH_SOURCE[0]}" >&2; exit 64 ;;
  esac
done
open_yardstick "$events"
client=$project/build/release/tests/bench/clients/live_latency file=$R60/events-$EVENTS.bin
[ -f "$file" ] || { "$client" copy "$BROKERS" "$file.part" && mv "$file.part" "$file"; }
open_namespace "$bench_folder/retail60.yaml"
sed -i "s/topic: \(orders\|clicks\),/topic: $ns.\1,/" "$config"
export TIDECAST__COMMIT__INTERVAL=$interval
appended=message.timestamp.type=LogAppendTime
"$tools/lagwatch" create --brokers "$BROKERS" "$ns.orders:8:retention.ms=-1:$appended" "$ns.clicks:8:retention.ms=-1:$appended" "$ns.features:8:retention.ms=-1"
"$tidecast" run "$config" >"$R60/$ns.log" 2>&1 </dev/null &
pid=$!
end() { kill -TERM "$pid" 2>/dev/null && wait "$pid" || true; [ -n "${KEEP_BROKER:-}" ] || stop_broker; }
trap end EXIT
sleep 3
before=$(awk '{print $14 + $15}' "/proc/$pid/stat")
"$client" send "$BROKERS" "$file" "$ns" "$rate" | tee "$R60/latency.json"
after=$(awk '{print $14 + $15}' "/proc/$pid/stat")
check=$("$tools/check" --brokers "$BROKERS" --oracle "$R60/oracle-$EVENTS.bin" --features "$ns.features" --sessions "$ns.sessions" --late "$ns.late" 2>/dev/null) || true
printf '{"interval":"%s","cpu_s":%s,"peak_rss_kib":%s,"check":%s}\n' "$interval" "$(awk "BEGIN{print ($after - $before) / 100}")" \
  "$(awk '/VmHWM/{print $2}' "/proc/$pid/status")" "${check:-null}"
kill -TERM "$pid"; wait "$pid" || true
close_namespace
grep -q '"correct":true' <<<"$check" || { echo "latency: the windows are NOT those of the oracle" >&2; exit 1; }

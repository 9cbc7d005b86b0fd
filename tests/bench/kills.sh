#!/usr/bin/env bash
# kill -9 under load: two instances drain Retail-60 with commits of 100 ms; round after round an instance, both, the broker, or
# all of them die at a random moment and start again. In the end the oracle judges every row: none lost, none twice, none wrong.
#   ./dev bench kills [--rounds 20] [--every 300000] [--seed 1] [--keep-broker]
. "$(dirname "${BASH_SOURCE[0]}")/yardstick.sh"
events=8000000 rounds=20 every=300000 seed=1
while [ $# -gt 0 ]; do
  case $1 in
    --events) events=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --every) every=$2; shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    --keep-broker) KEEP_BROKER=1; shift ;;
    *) sed -n 2,4p "${BASH_SOURCE[0]}" >&2; exit 64 ;;
  esac
done
RANDOM=$seed
open_yardstick "$events"
open_namespace "$bench_folder/retail60.yaml"
export TIDECAST__COMMIT__INTERVAL=100ms
pids=(0 0)
launch() {
  TIDECAST__INSTANCE=i$1 TIDECAST__STATE__DIRECTORY=$R60/$ns/i$1 "$tidecast" run "$config" >>"$R60/$ns.i$1.log" 2>&1 </dev/null &
  pids[$1]=$!
}
kill_engine() { { kill -9 "${pids[$1]}"; wait "${pids[$1]}"; } 2>/dev/null || true; }
kill_broker() { "$yardstick/../kafka/kafka-local" stop --kill --dir "$R60/broker" >&2; }
start_broker() {
  # A restart after kill -9 waits for the old session to end.
  grep -q broker.session "$R60/broker/extra.properties" || echo broker.session.timeout.ms=3000 >>"$R60/broker/extra.properties"
  KAFKA_LOCAL_HEAP=1g KAFKA_LOCAL_JVM="-XX:+UseSerialGC -Djava.awt.headless=true" \
    "$yardstick/../kafka/kafka-local" start --port "${BROKERS##*:}" --dir "$R60/broker" >&2 || true
  # On a busy machine it may be there only later.
  local i
  for ((i = 0; i < 300; ++i)); do
    "$tools/lagwatch" total --brokers "$BROKERS" --topics orders,clicks >/dev/null 2>&1 && return
    sleep 1
  done
  echo "kills: the broker does not come back" >&2
  return 1
}
end() { kill_engine 0; kill_engine 1; [ -n "${KEEP_BROKER:-}" ] || stop_broker; }
trap end EXIT
mkdir -p "$R60/$ns"
launch 0
launch 1
ask=(--brokers "$BROKERS" --group "$GROUP" --topics orders,clicks)
total=$("$tools/lagwatch" total --brokers "$BROKERS" --topics orders,clicks)
base=0
started=$SECONDS
targets=("the first" "the second" "the broker" "both instances" "the broker and the first" "the broker and both")
killed=(0 0 0)
for ((round = 0; round < rounds; ++round)); do
  "$tools/lagwatch" wait "${ask[@]}" --above $((base + every)) --max 600 >/dev/null
  sleep "0.$(printf %03d $((RANDOM % 1000)))"
  target=$((round % 6))
  case $target in 0 | 3 | 4 | 5) kill_engine 0; killed[0]=$((killed[0] + 1)) ;; esac
  case $target in 1 | 3 | 5) kill_engine 1; killed[1]=$((killed[1] + 1)) ;; esac
  case $target in 2 | 4 | 5) kill_broker; killed[2]=$((killed[2] + 1)); start_broker ;; esac
  case $target in 0 | 3 | 4 | 5) launch 0 ;; esac
  case $target in 1 | 3 | 5) launch 1 ;; esac
  base=$("$tools/lagwatch" committed "${ask[@]}")
  echo "kills: round $((round + 1)): ${targets[$target]}, $base of $total events committed" >&2
  [ $((base + every)) -lt "$total" ] || { echo "kills: the events are used up after round $((round + 1))" >&2; round=$((round + 1)); break; }
done
"$tools/lagwatch" wait "${ask[@]}" --above $((total - 1)) --max 900 >/dev/null
check=$("$tools/check" --brokers "$BROKERS" --oracle "$R60/oracle-$EVENTS.bin" --features "$ns.features" --sessions "$ns.sessions" --late "$ns.late" 2>/dev/null) || true
printf '{"rounds":%d,"instance_kills":%d,"broker_kills":%d,"seconds":%d,"seed":%d,"check":%s}\n' "$round" $((killed[0] + killed[1])) "${killed[2]}" \
  $((SECONDS - started)) "$seed" "${check:-null}"
grep -q '"correct":true' <<<"$check" || { echo "kills: the windows are NOT those of the oracle; logs: $R60/$ns.i*.log" >&2; exit 1; }
[ "$round" -eq "$rounds" ] || { echo "kills: fewer rounds than were asked for" >&2; exit 1; }
for i in 0 1; do kill -TERM "${pids[$i]}"; wait "${pids[$i]}" || true; done
close_namespace

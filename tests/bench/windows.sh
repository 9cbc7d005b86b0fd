#!/usr/bin/env bash
# Retail-60's windows apart, each a run over all events: one-minute windows alone; with the hour that moves by a minute; with
# sessions; with revisions of late events: ./dev bench windows [--events N] [--keep-broker]
. "$(dirname "${BASH_SOURCE[0]}")/yardstick.sh"
events=8000000
while [ $# -gt 0 ]; do
  case $1 in
    --events) events=$2; shift 2 ;;
    --keep-broker) KEEP_BROKER=1; shift ;;
    *) sed -n 2,3p "${BASH_SOURCE[0]}" >&2; exit 64 ;;
  esac
done
open_yardstick "$events"
variant=$R60/windows-$$.yaml
trap 'rm -f "$variant"; [ -n "${KEEP_BROKER:-}" ] || stop_broker' EXIT
failed=0
for name in tumbling hopping sessions revisions; do
  python3 - "$bench_folder/retail60.yaml" "$name" >"$variant" <<'P'
import re, sys
text, name = open(sys.argv[1]).read(), sys.argv[2]
hour = re.search(r"      hour:\n(?:        .*\n)+", text).group()
visit = re.search(r"      visit:\n(?:        .*\n)+", text).group()
if name != "hopping": text = text.replace(hour, "")
if name != "sessions": text = text.replace(visit, "")
if name in ("tumbling", "revisions"): text = text.replace("    windows:\n", "")
if name == "revisions": text = text.replace("    emit_empty: false\n", "    emit_empty: false\n    allowed_lateness: 5m\n")
print(text, end="")
P
  open_namespace "$variant"
  export FEATURES=$ns.features LATE=$ns.late WARMUP=${WARMUP:-5}
  [ "$name" = sessions ] && export SESSIONS=$ns.sessions || unset SESSIONS
  result=$("$yardstick/run_candidate.sh" "$tidecast" run "$config")
  books=$(tail -n 1 "$(ls -td "$R60"/run/candidate-*/log | head -n 1)")
  close_namespace
  printf '{"windows":"%s","result":%s,"books":%s}\n' "$name" "$result" "$books"
  python3 - "$name" "$result" "$books" <<'P' || failed=1
import json, sys
name, result, books = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
check = result["check"]
def right(kind):
    rows = check[kind]
    return rows["exact"] == rows["expected"] > 0 and not (rows["wrong"] or rows["dup"] or rows["extra"] or rows["missing"])
if name == "revisions":  # the oracle knows no second revisions: the engine's books must hold every late event
    good = books["late_revised"] == check["late_generated"] and books["too_late"] == 0
else:
    good = right("tumbling") and (name != "hopping" or right("hopping"))
    good = good and (name != "sessions" or not any(check["sessions"][k] for k in ("wrong", "dup", "extra", "missing")))
if not good:
    sys.exit(f"windows: {name}: NOT what the oracle holds")
P
done
exit $failed

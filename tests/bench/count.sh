#!/usr/bin/env bash
# JSON count: 20 M words, a running count by word and second, exactly once: ./dev bench count [--words N] [--keep-broker]
. "$(dirname "${BASH_SOURCE[0]}")/yardstick.sh"
export WORDS=20000000
while [ $# -gt 0 ]; do
  case $1 in
    --words) WORDS=$2; shift 2 ;;
    --keep-broker) KEEP_BROKER=1; shift ;;
    *) sed -n 2p "${BASH_SOURCE[0]}" >&2; exit 64 ;;
  esac
done
# A broker of its own: the other benchmarks' holds one word.
export R60=${R60:-/tmp/tidecast-retail60-$(id -u)}-words
open_yardstick "${EVENTS:-100000}"
open_namespace "$bench_folder/count.yaml"
result=$(TOPICS=words WARMUP=${WARMUP:-2} "$yardstick/run_candidate.sh" "$tidecast" run "$config")
printf '%s\n' "$result"
# The engine's own books: each word was read and accepted once.
last=$(tail -n 1 "$(ls -td "$R60"/run/candidate-*/log | head -n 1)")
close_namespace
[ "$(field events_accepted "$last")" = "$(field total "$result")" ] || { echo "count: not all words were counted: $last" >&2; exit 1; }

#!/usr/bin/env bash
# Forecast accuracy on the yardstick sets: prepares the series, runs `tidecast backtest` with defaults, scores, prints the table
# beside the gates. ARGUMENTS go to accuracy.py (--help), or to the script beside it that ACCURACY_SCRIPT names.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=$(readlink -f "$here/../..")
shared=${TIDECAST_SHARED:-$root/../shared}
for needed in tools/prepare_forecasts.py tools/score_forecasts.py data; do
  if [ ! -e "$shared/$needed" ]; then
    echo "accuracy: the yardsticks are not here: $shared/$needed is missing" >&2
    echo "  try: put tools and data into ../shared beside the project, or name their folder in TIDECAST_SHARED" >&2
    exit 66
  fi
done
python=${PYTHON:-python3}
if ! "$python" -c 'import numpy, polars' 2>/dev/null; then
  venv=$root/build/accuracy/venv
  if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import numpy, polars' 2>/dev/null; then
    echo "== accuracy: numpy and polars go into $venv" >&2
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet numpy polars || {
      echo "accuracy: numpy and polars could not be installed" >&2
      echo "  try: PYTHON=a python that has them ./dev bench accuracy" >&2
      exit 69
    }
  fi
  python=$venv/bin/python
fi
exec "$python" "$here/${ACCURACY_SCRIPT:-accuracy.py}" --binary "$root/build/release/tidecast" --shared "$shared" --work "$root/build/accuracy" "$@"

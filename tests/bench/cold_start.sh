#!/usr/bin/env bash
# The first forecasts of new series beside the mean of their category. ARGUMENTS go to cold_start.py (--help).
set -euo pipefail
ACCURACY_SCRIPT=cold_start.py exec "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/accuracy.sh" "$@"

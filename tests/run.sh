#!/usr/bin/env bash
# All checks: lint, format, types, tests. Sets up what it needs on the first run.
#
#   tests/run.sh [PYTEST ARGUMENTS]
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# shellcheck source-path=SCRIPTDIR/..
source recipes/shared/env.sh test

# Two test processes share the machine: more threads in each would only make them wait for each other.
export OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1

failed=
ruff check . || failed="$failed ruff-check"
ruff format --check . || failed="$failed ruff-format"
mypy || failed="$failed mypy"
python -m pytest -n 2 --dist worksteal -q --durations 10 "$@" || failed="$failed pytest"

if [ -n "$failed" ]; then
  echo "failed:$failed" >&2
  exit 1
fi

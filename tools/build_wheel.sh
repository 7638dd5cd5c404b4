#!/usr/bin/env bash
# Builds the wheel so that the same commit gives the same bytes: a fixed date, no isolation, no index.
set -euo pipefail
python=$1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 1700000000)
export SOURCE_DATE_EPOCH
umask 022
rm -rf dist/*.whl
"$python" -m build --wheel --no-isolation --outdir dist . >/dev/null
sha256sum dist/*.whl

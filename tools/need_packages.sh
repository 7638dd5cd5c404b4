#!/usr/bin/env bash
# Installs the Debian packages that tests of faults need, where that is allowed; says what is missing elsewhere.
# Usage: need_packages.sh PACKAGE...
set -euo pipefail

missing=()
for package in "$@"; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "not installed (their tests are skipped, by name): ${missing[*]}" >&2
  echo "as root: apt-get install ${missing[*]}" >&2
  exit 0
fi
# On a machine that people use, ask first; tests in CI install what they need. Nothing here starts a server.
if [ -z "${CI:-}" ] && [ -t 0 ]; then
  read -r -p "install ${missing[*]} with apt-get? [y/N] " answer
  case "$answer" in y | Y | yes) ;; *) exit 0 ;; esac
fi
export DEBIAN_FRONTEND=noninteractive
if ! apt-get install --yes --no-install-recommends --quiet "${missing[@]}" >/dev/null 2>&1; then
  apt-get update --quiet >/dev/null 2>&1 || true
  apt-get install --yes --no-install-recommends --quiet "${missing[@]}" >/dev/null ||
    echo "could not be installed (their tests are skipped, by name): ${missing[*]}" >&2
fi

#!/usr/bin/env bash
# Makes sure that PYTHON is 3.11 or newer and can make virtual environments. As root on Debian it
# installs what is missing; otherwise it says what to install.
set -euo pipefail
python=${1:-python3}

ask_for() {
  echo "missing: $1" >&2
  echo "install it as root:  apt-get update && apt-get install -y $2" >&2
  exit 1
}

install() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # Installing a server's package must not start the server on this host.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
      trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  else
    ask_for "$1" "$*"
  fi
}

command -v "$python" >/dev/null || install python3 python3-venv
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "Python 3.11 or newer is needed; $python is $("$python" -V 2>&1). Use make PYTHON=..." >&2; exit 1; }
"$python" -c 'import ensurepip, venv' 2>/dev/null || install python3-venv

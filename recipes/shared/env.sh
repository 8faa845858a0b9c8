# Sourced by the recipes and by tests/run.sh: puts a Python with speechtl first on PATH, and makes it where there is none.
#
#   source recipes/shared/env.sh [EXTRA...]
#
# EXTRA are extras of pyproject.toml: source recipes/shared/env.sh test
#
# An activated environment (venv or conda) that has speechtl is used as it is. Otherwise .venv at the root of the
# repository is made, or updated when pyproject.toml has changed since. Variables: SPEECHTL_VENV, another place for it;
# PYTHON, the Python that it is made from.

_speechtl_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

_speechtl_find_python() { # print a Python 3.10-3.12 that runs and can make environments
  local candidate
  # A name on PATH proves nothing: a version manager leaves names behind that only print an error.
  for candidate in ${PYTHON:-python3.12 python3.11 python3.10 python3 python}; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
      2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "error: no Python 3.10, 3.11 or 3.12 with venv and ensurepip among: ${PYTHON:-python3.12 python3.11 python3.10" \
    "python3 python}; install one (on Debian and Ubuntu also the package python3-venv) or set PYTHON=/path/to/python" >&2
  return 1
}

_speechtl_set_up() { # _speechtl_set_up VENV EXTRA...: make or update the environment; nothing to do costs nothing
  local venv=$1 stamp=$1/speechtl-stamp python quiet=-q fingerprint wanted small=
  shift
  # On a machine with an NVIDIA GPU, TensorFlow with its CUDA libraries; elsewhere on Linux the small wheel.
  if nvidia-smi -L >/dev/null 2>&1; then
    set -- "$@" gpu
  elif [ "$(uname -sm)" = "Linux x86_64" ]; then
    small=--small-tensorflow
  fi
  fingerprint=$(cksum <"$_speechtl_root/pyproject.toml")
  wanted=$({ printf '%s\n' "$@" && tail -n +2 "$stamp" 2>/dev/null || true; } | sort -u | sed '/^$/d')
  if "$venv/bin/python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
    # The stamp: the fingerprint of pyproject.toml, then the extras that are in.
    if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$(printf '%s\n' "$fingerprint" "$wanted")" ]; then
      return
    fi
  else
    if [ -e "$venv" ] && [ ! -e "$venv/pyvenv.cfg" ]; then
      echo "error: $venv is there and is not a virtual environment; move it away or set SPEECHTL_VENV" >&2
      return 1
    fi
    python=$(_speechtl_find_python) || return
    echo "making $venv with $("$python" --version) (once, some minutes and about 2 GB)" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv" || return
  fi
  if [ -t 2 ]; then quiet=; fi
  rm -f "$stamp"
  # --no-compile: Python compiles what is imported when it is; all of these packages would take half a minute.
  # shellcheck disable=SC2086
  {
    "$venv/bin/python" "$_speechtl_root/recipes/shared/requirements.py" $small $wanted >"$venv/requirements.txt" &&
      "$venv/bin/python" -m pip install --disable-pip-version-check $quiet --no-compile -r "$venv/requirements.txt" >&2 &&
      "$venv/bin/python" -m pip install --disable-pip-version-check $quiet --no-deps -e "$_speechtl_root" >&2 &&
      printf '%s\n' "$fingerprint" "$wanted" >"$stamp"
  } || {
    echo "error: could not set up $venv; the lines above say why, and running this again goes on from there" >&2
    return 1
  }
}

_speechtl_activate() { # _speechtl_activate EXTRA...
  local active=${VIRTUAL_ENV:-${CONDA_PREFIX:-}} missing
  # As activating an environment does: the standard library of another Python is of no use to this one.
  unset PYTHONHOME
  if [ -n "$active" ] && [ -x "$active/bin/speechtl" ]; then
    missing=$("$active/bin/python" "$_speechtl_root/recipes/shared/requirements.py" --missing "$@") || return
    if [ -n "$missing" ]; then
      echo "error: the active environment $active lacks: ${missing//$'\n'/, }; install them there" \
        "(pip install -e '.[$(IFS=,; echo "$*")]') or deactivate it" >&2
      return 1
    fi
  else
    active=${SPEECHTL_VENV:-$_speechtl_root/.venv}
    case $active in /*) ;; *) active=$PWD/$active ;; esac
    _speechtl_set_up "$active" "$@" || return
    # Nothing there was compiled when it was installed: Python must keep what it compiles, or TensorFlow alone takes twice
    # as long to start, every time.
    unset PYTHONDONTWRITEBYTECODE
  fi
  export PATH="$active/bin:$PATH"
}

_speechtl_activate "$@" || exit 1

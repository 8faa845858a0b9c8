# Sourced by the scripts of the recipes: reads the command line into variables, then enters the folder of the script.
#
#   # ... the script's header, which is its usage text and names its options:
#   #   recipes/an4/run.sh --corpus DIR [--stage N] [--stop-stage M] [--nj N]
#   stage=0 stop_stage=6 corpus= nj=$(nproc)                           # the defaults
#   source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
#
# --stop-stage sets stop_stage, and so on; every option has a value. Options are those that the header names, so it cannot
# fall behind. A value that it calls DIR or FILE is a path, made absolute, because the script works in its own folder.

_header() { # the comment at the beginning of the script
  sed -n '1d; /^#/!q; s/^# \{0,1\}//p; s/^$//p' "$0"
}

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      _header
      exit 0
      ;;
  esac
  _option=${1#--}
  if [ "$1" = "$_option" ] || ! _header | grep -qE -e "(^|[^-a-z])$1([^-a-z]|\$)"; then
    echo "error: no option $1. $(basename "$0"):" >&2
    _header >&2
    exit 1
  fi
  if [ $# -lt 2 ]; then
    echo "error: $1 needs a value. $(basename "$0"):" >&2
    _header >&2
    exit 1
  fi
  _value=$2
  # An empty value stays empty: whoever needs the path says so.
  if [ -n "$_value" ] && _header | grep -qE -e "$1 (DIR|FILE)([^A-Z]|\$)"; then
    case $_value in /*) ;; *) _value=$PWD/$_value ;; esac
  fi
  printf -v "${_option//-/_}" '%s' "$_value"
  shift 2
done
unset _option _value

cd "$(dirname "$0")" || exit 1

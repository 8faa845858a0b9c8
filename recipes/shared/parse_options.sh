# Sourced by the scripts of the recipes: reads the command line into variables, then enters the folder of the script.
#
#   # ... the script's header, which is its usage text and names its options:
#   #   recipes/an4/run.sh --corpus DIR [--stage N] [--stop-stage M] [--nj N]
#   stage=0 stop_stage=6 corpus= nj=$(nproc)                           # the defaults
#   source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
#
# --stop-stage sets stop_stage, and so on; every option has a value. Options are those that the header names, so that it
# cannot fall behind. A value that it calls DIR or FILE is a path, made absolute, because the script works in its own
# folder.

# The comment at the beginning of the script.
_usage=$(sed -n '1d; /^#/!q; s/^# \{0,1\}//; p' "$0")

_wrong_option() { # _wrong_option MESSAGE
  printf 'error: %s. %s:\n%s\n' "$1" "$(basename "$0")" "$_usage" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      printf '%s\n' "$_usage"
      exit 0
      ;;
    --*) grep -qE -e "(^|[^-a-z])$1([^-a-z]|\$)" <<<"$_usage" || _wrong_option "no option $1" ;;
    *) _wrong_option "no option $1" ;;
  esac
  [ $# -gt 1 ] || _wrong_option "$1 needs a value"
  _value=$2
  # An empty value stays empty: whoever needs the path says so.
  if [ -n "$_value" ] && grep -qE -e "$1 (DIR|FILE)([^A-Z]|\$)" <<<"$_usage"; then
    case $_value in /*) ;; *) _value=$PWD/$_value ;; esac
  fi
  _option=${1#--}
  printf -v "${_option//-/_}" '%s' "$_value"
  shift 2
done
unset _option _value _usage

cd "$(dirname "$0")" || exit 1

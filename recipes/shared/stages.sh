# Sourced by the recipes that run in stages, after parse_options.sh, which sets stage and stop_stage.
#
#   source ../shared/stages.sh
#   if run_stage 0 "data directories from the corpus"; then ...

run_stage() { # run_stage N TITLE: true if stage N is asked for; prints its title
  # shellcheck disable=SC2154
  [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ] && echo "=== stage $1: $2"
}

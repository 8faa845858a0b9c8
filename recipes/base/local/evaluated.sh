# Sourced by the scripts of this recipe: their options, and what all of them do with a model.
# shellcheck disable=SC2034,SC2154

model=exp/base
seeds="1"
nj=1
source "$(dirname "${BASH_SOURCE[0]}")/../../shared/parse_options.sh"
source ../shared/env.sh

# Results are apart from the model, which may be anywhere, and may be one file.
name=$(basename "$model" .speechtl)
results=exp/evaluation/$name

# The name of a model that comes with speechtl will do, too: parse_options.sh has taken it for a path. By its name it recognises
# without TensorFlow; to go on training, it is an experiment.
reader=$model
if [ ! -e "$model" ] && [ "$model" = "$OLDPWD/$name" ]; then
  model=$(python -c 'import sys; from speechtl.pretrained.model_path import source_path; print(source_path(sys.argv[1]))' "$name")
  reader=$name
fi

have_model() {
  if [ ! -e "$model" ] || { [ -d "$model" ] && [ ! -e "$model/weights.h5" ]; }; then
    echo "left out: $model is not there, or not trained (run.sh, stage 2)" >&2
    return 1
  fi
}

have() { # have DATA...: true if the model and the features of all of them are there
  local place
  have_model || return 1
  for place in "$@"; do
    if [ ! -e "data/$place/feats.scp" ]; then
      echo "left out: data/$place has no features (run.sh, stages 0 and 1)" >&2
      return 1
    fi
  done
}

is_new() { # is_new FILE: true if it was made after the model
  local made=$model
  [ ! -d "$model" ] || made=$model/weights.h5
  [ "$1" -nt "$made" ]
}

languages_of() { # languages_of TABLE PART FOLDER: the languages of local/TABLE.tsv that are for dev or test, and prepared in data/FOLDER
  local language part
  while IFS=$'\t' read -r language _ part _; do
    [ "$part" != "$2" ] || [ ! -e "data/$3/$language/feats.scp" ] || echo "$language"
  done <"local/$1.tsv"
}

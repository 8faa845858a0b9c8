# Sourced by the scripts of this recipe: their options, and what all of them do with a model.
# shellcheck disable=SC2034,SC2154

seeds="1 2 3"
nj=1
source "$(dirname "${BASH_SOURCE[0]}")/../../shared/parse_options.sh"
source ../shared/env.sh

declare -A corpus_of=([en]=an4 [zh]=dspspeech20 [ar]=arabic_commands [de]=kerstin_de [ru]=festvox_ru)

have() { # have CORPUS...: true if the encoder and the data of all of them are there
  local name
  for name in ../exp/encoder/weights.h5 "${@/%//train/feats.scp}"; do
    if [ ! -e "data/$name" ]; then
      echo "left out: data/$name is not there (run.sh, stages 0 to 2)" >&2
      return 1
    fi
  done
}

train() { # train CONF EXP SETTING...
  local conf=$1 exp=$2 settings=() value
  shift 2
  for value in "$@"; do
    settings+=(--set "$value")
  done
  speechtl train "$conf" "$exp" "${settings[@]}"
}

measure() { # measure EXP LANGUAGE PART: phone errors of one part of the language's corpus, into EXP/LANGUAGE/PART/per
  local data=data/${corpus_of[$2]} out=$1/$2/$3
  if [ ! -e "$out/per/wer" ]; then
    speechtl decode "$1" "$data/$3" "$out" --language "$2" --nj "$nj"
    speechtl score "$data/$3" "$out/phones" --unit phone --lexicon "$data/lexicon.txt" --out "$out/per" >/dev/null
    head -1 "$out/per/wer"
  fi
}

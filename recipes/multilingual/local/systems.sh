# Sourced by the scripts of the methods: their options, and what all of them do with a model.
# shellcheck disable=SC2034,SC2154

seeds="1 2 3"
nj=1
source "$(dirname "${BASH_SOURCE[0]}")/../../shared/parse_options.sh"
source ../shared/env.sh

declare -A corpus_of=([en]=an4 [en-dsp]=dspspeech_en [zh]=dspspeech_zh [ar]=arabic [de]=kerstin [ru]=festvox)

have() { # have LANGUAGE...: true if the data of all of them are there
  local language
  for language in "$@"; do
    if [ ! -e "data/${corpus_of[$language]}/train/feats.scp" ]; then
      echo "left out: no features of $language in data/${corpus_of[$language]} (run.sh, stages 0 and 1)" >&2
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

train_alone() { # train_alone CONF EXP LANGUAGE SETTING...: one language, the ten minutes of $seed
  local conf=$1 exp=$2 language=$3 data=data/${corpus_of[$3]}
  shift 3
  train "$conf" "$exp" seed="$seed" data.0.language="$language" data.0.train="$data/train_10min_$seed" \
    data.0.dev="$data/dev" data.0.lexicon="$data/lexicon.txt" "$@"
}

measure() { # measure EXP LANGUAGE DATA PART: phone errors of one part, into EXP/LANGUAGE/PART/per
  local out=$1/$2/$4
  if [ ! -e "$out/per/wer" ]; then
    speechtl decode "$1" "$3" "$out" --language "$2" --nj "$nj"
    speechtl score "$3" "$out/phones" --unit phone --lexicon "data/${corpus_of[$2]}/lexicon.txt" \
      --out "$out/per" >/dev/null
    head -1 "$out/per/wer"
  fi
}

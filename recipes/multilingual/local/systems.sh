# Sourced by the scripts of the methods, in the folder of the recipe: what all of them do with a model.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

seeds="1 2 3"
while [ $# -gt 0 ]; do
  [ $# -gt 1 ] || set -- --usage ""
  case $1 in
    --seeds) seeds=$2 ;;
    --nj) ;; # features are there already
    *)
      echo "usage: $0 [--seeds \"1 2 3\"]; recipes/multilingual/run.sh makes the data" >&2
      exit 1
      ;;
  esac
  shift 2
done

# Options are gone by now: what is left would be taken for extras.
# shellcheck source-path=SCRIPTDIR/..
source ../env.sh

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
    speechtl decode "$1" "$3" "$out" --language "$2"
    speechtl score "$3" "$out/phones" --unit phone --lexicon "data/${corpus_of[$2]}/lexicon.txt" --out "$out/per" >/dev/null
    head -1 "$out/per/wer"
  fi
}

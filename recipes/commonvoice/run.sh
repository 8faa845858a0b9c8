#!/usr/bin/env bash
# Common Voice: from one language to another, for example from Mandarin to Taiwanese. README.md says how to get it.
#
#   recipes/commonvoice/run.sh --corpus DIR [--source zh-TW] [--target nan-tw] [--stage N] [--stop-stage M] [--nj N]
#     [--source-lexicon FILE] [--target-lexicon FILE] [--source-rules LANGUAGE] [--target-rules LANGUAGE] [--epochs N]
#
# DIR has a folder for each language, DIR/zh-TW with clips/ and *.tsv. Pronunciations come from a lexicon in IPA
# (--source-lexicon), from spelling rules (--source-rules de; see speechtl lexicon g2p), else a word's letters are its
# phones (of romanised Taiwanese, its syllables' phones).
#
# Stages: 0 prepare, 1 lexicons, validate, features, 2 train the source language, 3 the target language alone, 4 the
# target language with the source's blocks, 5 phone error rates of the test part. Everything is written below
# data/SOURCE-TARGET and exp/SOURCE-TARGET of this folder; training resumes.
set -euo pipefail

stage=0
stop_stage=5
corpus=
nj=$(nproc)
epochs=
source=zh-TW
target=nan-tw
source_lexicon=
target_lexicon=
source_rules=
target_rules=

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh

declare -A language=([source]=$source [target]=$target)
declare -A lexicon=([source]=$source_lexicon [target]=$target_lexicon)
declare -A rules=([source]=$source_rules [target]=$target_rules)

if [ "${language[source]}" = "${language[target]}" ]; then
  echo "error: source and target are both ${language[source]}; name two languages" >&2
  exit 1
fi
data=data/${language[source]}-${language[target]}
exp=exp/${language[source]}-${language[target]}

train() { # train CONF EXP SETTING...: with the epochs of the command line
  local conf=$1 out=$2 settings=() value
  shift 2
  for value in "$@" ${epochs:+training.epochs=$epochs}; do
    settings+=(--set "$value")
  done
  speechtl train "$conf" "$out" "${settings[@]}"
}

data_of() { # data_of NUMBER SIDE: the settings of one [[data]] table
  echo "data.$1.language=${language[$2]}" "data.$1.train=$data/$2/train"
  if [ -e "$data/$2/lexicon.txt" ]; then
    echo "data.$1.lexicon=$data/$2/lexicon.txt"
  fi
}

if run_stage 0 "data directories from the corpus"; then
  for side in source target; do
    if [ -z "$corpus" ] || [ ! -d "$corpus/${language[$side]}" ]; then
      echo "error: ${corpus:-DIR}/${language[$side]} is not there; download ${language[$side]} from Common Voice's" \
        "site and give the folder that has one folder for each language with --corpus" >&2
      exit 1
    fi
    options=(--letters)
    if [ -n "${lexicon[$side]}" ]; then
      options=(--lexicon "${lexicon[$side]}")
    elif [ -n "${rules[$side]}" ]; then
      options=()
    fi
    python ../corpora/commonvoice.py --corpus "$corpus/${language[$side]}" --language "${language[$side]}" \
      --out "$data/$side" --tables utt2lang ${options[@]+"${options[@]}"}
  done
fi

if run_stage 1 "lexicons, validation, features"; then
  for side in source target; do
    made=$data/$side/lexicon.txt
    if [ -n "${lexicon[$side]}" ]; then
      speechtl lexicon convert "${lexicon[$side]}" "$made" --notation ipa
    elif [ -n "${rules[$side]}" ]; then
      speechtl lexicon g2p --rules "${rules[$side]}" -n 1 --words "$data/$side/words.txt" \
        --out "$data/$side/lexiconp.txt"
      cut -d' ' -f1,3- "$data/$side/lexiconp.txt" >"$made"
    elif [ -e "$data/$side/syllables.txt" ]; then
      cp "$data/$side/syllables.txt" "$made"
    fi
    for part in train dev test; do
      speechtl data validate "$data/$side/$part"
    done
    speechtl features "$data/$side"/{train,dev,test} --config conf/source.toml --nj "$nj"
  done
fi

if run_stage 2 "source language"; then
  # shellcheck disable=SC2046
  train conf/source.toml "$exp/source" $(data_of 0 source) "data.0.dev=$data/source/dev"
fi

if run_stage 3 "target language alone"; then
  # shellcheck disable=SC2046
  train conf/target.toml "$exp/target" $(data_of 0 target) "data.0.dev=$data/target/dev"
fi

if run_stage 4 "target language with the source's blocks"; then
  # shellcheck disable=SC2046
  train conf/transfer.toml "$exp/transfer" $(data_of 0 target) "data.0.dev=$data/target/dev" $(data_of 1 source) \
    "transfer.0.source=$exp/source"
fi

if run_stage 5 "phone error rates of the test part"; then
  for system in target transfer; do
    speechtl decode "$exp/$system" "$data/target/test" "$exp/$system/test" --language "${language[target]}"
    options=()
    if [ -e "$data/target/lexicon.txt" ]; then
      options=(--lexicon "$data/target/lexicon.txt")
    fi
    speechtl score "$data/target/test" "$exp/$system/test/phones" --unit phone "${options[@]}" \
      --out "$exp/$system/test/per"
  done
fi

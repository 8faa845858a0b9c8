#!/usr/bin/env bash
# What a foundation encoder brings: Whisper base under small heads, on little speech. README.md has the results.
#
#   recipes/foundation/run.sh --corpora DIR [--encoder hf:openai/whisper-base] [--stage N] [--stop-stage M] [--nj N]
#
# --corpora DIR holds the folders an4, dspspeech20, arabic_commands, kerstin_de, festvox_ru, speechocean762, persian (and
# persian_dictionaries), taiwanese, and fortunes (German and Russian text); recipes/corpora/README.md says how to get each. What is
# missing is left out, with a message.
# --encoder: a checkpoint by name or folder, or an experiment directory.
#
# Stages: 0 data directories, 1 lexicons and features, 2 the encoder, and the model of three languages on it; then one script
# for each question, which also runs alone: 3 languages.sh, 4 words.sh, 5 unheard.sh, 6 layers.sh, 7 speakers.sh.
# Everything is written below data/ and exp/ of this folder; training resumes.
set -euo pipefail

stage=0
stop_stage=7
nj=$(nproc)
corpora=
encoder=hf:openai/whisper-base

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh
source ../shared/make_lexicon.sh
source ../shared/without_words.sh

names="an4 dspspeech20 arabic_commands kerstin_de festvox_ru speechocean762 persian taiwanese"

if run_stage 0 "data directories from the corpora"; then
  found=0
  for name in $names; do
    if [ -z "$corpora" ] || [ ! -d "$corpora/$name" ]; then
      echo "left out: $name (${corpora:-no --corpora DIR}/$name is not there); recipes/corpora/README.md says how to get it" >&2
      continue
    fi
    found=1
    options=(--tables "utt2lang,utt2dom")
    case $name in
      dspspeech20) options+=(--languages zh) ;;
      persian) options+=(--dictionaries "$corpora/persian_dictionaries") ;;
    esac
    python "../corpora/$name.py" --corpus "$corpora/$name" --out "data/$name" "${options[@]}"
  done
  if [ -n "$corpora" ] && [ -d "$corpora/fortunes" ]; then
    python ../corpora/fortunes.py --corpus "$corpora/fortunes" --out data/text
  else
    echo "left out: fortunes (${corpora:-no --corpora DIR}/fortunes is not there): no language model of phones" >&2
  fi
  if [ $found = 0 ]; then
    echo "error: none of the corpora is there; give them with --corpora DIR" >&2
    exit 1
  fi
fi

if run_stage 1 "lexicons, validation, features"; then
  for name in $names; do
    [ -d "data/$name" ] || continue
    make_lexicon "$name" "data/$name"
    for part in train dev test; do
      speechtl data validate "data/$name/$part"
    done
    speechtl features "data/$name/"{train,dev,test} --config conf/features.toml --nj "$nj"
  done
  for name in an4 dspspeech20 arabic_commands kerstin_de festvox_ru; do
    [ -d "data/$name" ] || continue
    # Ten minutes and one minute of training speech, evenly over the speakers.
    for minutes in 10 1; do
      seconds=$(awk -v m=$minutes 'END { printf "%.1f", 60 * m / NR }' "data/$name/train/spk2utt")
      for seed in 1 2 3; do
        speechtl data subset "data/$name/train" "data/$name/train_${minutes}min_$seed" --seconds-per-speaker "$seconds" \
          --seed $seed --overwrite
      done
    done
  done
fi

if run_stage 2 "the encoder, and a model of three languages on it"; then
  if [ ! -e exp/encoder/weights.h5 ]; then
    speechtl import "$encoder" exp/encoder
  fi
  if [ -d data/an4 ] && [ -d data/speechocean762 ] && [ -d data/persian ] && [ -d data/taiwanese ]; then
    mkdir -p data/source
    # Ten words of AN4 are in no training utterance: unheard.sh asks whether they are found.
    for name in an4 speechocean762; do
      without_words ../corpora/an4_unseen_words.txt data/$name/train data/source/$name
    done
    LC_ALL=C sort -u data/an4/lexicon.txt data/speechocean762/lexicon.txt >data/source/english.txt
    cut -d' ' -f1 data/taiwanese/train_10min/text >data/source/taiwanese.list
    speechtl data subset data/taiwanese/train data/source/taiwanese --utterance-list data/source/taiwanese.list --overwrite
    speechtl train conf/source.toml exp/source
  fi
fi

number=3
for question in languages words unheard layers speakers; do
  if run_stage $number "$question"; then
    ./$question.sh --nj "$nj"
  fi
  number=$((number + 1))
done

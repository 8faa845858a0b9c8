#!/usr/bin/env bash
# Isolated words: which layers are worth taking from another model. Some first and last blocks, frozen and trained
# further, from speakers to other speakers and from another language.
#
#   recipes/isolated_words/run_layers.sh --corpus DIR --words dspspeech20|arabic_commands [--language-source DIR]
#                                        [--stage N] [--stop-stage M] [--nj N] [--seeds "1 2 3"]
#
# --language-source: a model of another language with the features and the encoder of conf/layers.toml, for example
# exp/layers_source of the AN4 recipe, or exp/arabic_commands/layers/source of this one. Without it, that part is
# left out.
# Stages: 0 prepare, 1 features, speakers divided, 2 the source model, 3 from speakers to speakers, 4 from another
# language, 5 tables and pictures.
set -euo pipefail

stage=0
stop_stage=5
corpus=
words=
language_source=
nj=$(nproc)
seeds="1"

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh
source local/corpus.sh

sweep() { # sweep FOLDER SOURCE TRAIN DEV: a model for each choice of blocks, all that FOLDER does not have yet
  local seed blocks trainable settings
  for seed in $seeds; do
    for blocks in none first:1 first:3 all last:3 last:1; do
      for trainable in false true; do
        settings=("seed=$seed" "data.0.train=$3" "data.0.dev=$4" "data.0.lexicon=$lexicon" training.epochs=8)
        if [ $blocks = none ]; then
          [ $trainable = true ] || continue
        else
          settings+=("transfer=[{method='layer_transfer',source='$2',blocks='$blocks',trainable=$trainable}]")
        fi
        train layers "$1/$blocks.$trainable.$seed" "${settings[@]}"
      done
    done
  done
}

if run_stage 0 "data directories from the corpus"; then
  prepare
fi

if run_stage 1 "features; every third training speaker is one that little is known of"; then
  speechtl features "$data"/{train,dev,test} --config conf/layers.toml --nj "$nj"
  mkdir -p "$data/layers"
  awk 'NR % 3 { print $1 }' "$data/train/spk2utt" >"$data/layers/source.speakers"
  awk 'NR % 3 == 0 { print $1 }' "$data/train/spk2utt" >"$data/layers/target.speakers"
  for part in source target; do
    speechtl data subset "$data/train" "$data/layers/$part" --speaker-list "$data/layers/$part.speakers" --overwrite
  done
  speechtl data combine "$data/layers/all" "$data/dev" "$data/test" --overwrite
  speechtl data subset "$data/layers/all" "$data/layers/test" --utterances-per-speaker 30 --seed 1 --overwrite
  # From another language to the words that are no English: those in other than Latin letters.
  for part in target all; do
    awk '$2 !~ /[A-Za-z]/ { print $1 }' "$data/layers/$part/text" >"$data/layers/$part.no_english"
    speechtl data subset "$data/layers/$part" "$data/layers/${part}_no_english" \
      --utterance-list "$data/layers/$part.no_english" --overwrite
  done
  speechtl data subset "$data/layers/all_no_english" "$data/layers/test_no_english" --utterances-per-speaker 30 \
    --seed 1 --overwrite
fi

if run_stage 2 "the source model, of the other speakers"; then
  train layers "$exp/layers/source" "data.0.train=$data/layers/source" "data.0.dev=$data/layers/test" \
    "data.0.lexicon=$lexicon"
fi

if run_stage 3 "from speakers to speakers"; then
  sweep "$exp/layers/speakers" "$exp/layers/source" "$data/layers/target" "$data/layers/test"
fi

if run_stage 4 "from another language"; then
  if [ -z "$language_source" ]; then
    echo "left out: give a model of another language with --language-source DIR"
  else
    sweep "$exp/layers/language" "$language_source" "$data/layers/target_no_english" "$data/layers/test_no_english"
  fi
fi

if run_stage 5 "tables and pictures"; then
  for kind in speakers language; do
    if [ -d "$exp/layers/$kind" ]; then
      python local/layers_table.py "$exp/layers/$kind" >"$exp/layers/$kind.tsv"
      of_kind=layers_$kind
      speechtl chart "$exp/layers/$kind.tsv" "$exp/layers/$kind.svg" --title "$title, ${!of_kind}" \
        --x "blocks taken over, of 5" --y "phone errors of other speakers, %"
    fi
  done
fi

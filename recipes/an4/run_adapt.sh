#!/usr/bin/env bash
# AN4, the model of conf/tdnn.toml adapted to each test speaker with 1, 2, 5 and two thirds of the utterances (eight or
# nine), and tested on the other third of the speaker; each third is the test once.
#
#   recipes/an4/run_adapt.sh --corpus DIR [--stage N] [--stop-stage M] [--nj N]
#
# The model, features, language models and decoding settings are those of run.sh, stages 0 to 4, which come first.
# Stages: 0 some speech of training speakers, 1 adapt to the test speakers, 2 train a small model, whose layers the
# recipe of isolated words takes (run_layers.sh). Studies and training resume. Results: exp/adapt/test with table.md and
# chart.svg.
set -euo pipefail

stage=0
stop_stage=2
corpus=
nj=$(nproc)

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh

for file in exp/tdnn/weights.h5 exp/tdnn/dev/tuned.toml; do
  if [ ! -e $file ] && [ "$stage" -le 1 ]; then
    echo "error: $file is missing; run first:" \
      "recipes/an4/run.sh --corpus ${corpus:-DIR} --conf conf/tdnn.toml --stop-stage 4" >&2
    exit 1
  fi
done

if run_stage 0 "some speech of training speakers"; then
  # To see what adaptation forgets.
  awk 'NR % 24 == 0 { print $1 }' data/train/utt2spk >data/train_some.list
  speechtl data subset data/train_sp data/train_some --utterance-list data/train_some.list --overwrite
fi

study() { # study PART OPTIONS...: 0 stands for all utterances of two of three parts
  local lm=lm
  [ "$1" = dev ] || lm=lm_all
  speechtl study exp/tdnn "data/$1" "exp/adapt/$1" --folds 3 --source-speech data/train_some \
    --lm data/lang/$lm.arpa --config exp/tdnn/dev/tuned.toml --title "AN4, $1 speakers" "${@:2}"
}

if run_stage 1 "dev and test speakers"; then
  study dev --counts 1,5,0 --system default --system lin --system conservative=conservative_training
  study test --counts 1,2,5,0 --system default --system lin --system conservative=conservative_training \
    --system fine_tuning --system lhuc
fi

if run_stage 2 "a small model, whose layers the recipes of other corpora take"; then
  # Their features are other ones than those of conf/tdnn.toml.
  for part in train dev; do
    mkdir -p data/layers/$part
    for table in wav.scp text utt2spk spk2utt; do
      cp data/$part/$table data/layers/$part
    done
  done
  speechtl features data/layers/train data/layers/dev --config conf/layers.toml --nj "$nj"
  speechtl train conf/layers.toml exp/layers_source
fi

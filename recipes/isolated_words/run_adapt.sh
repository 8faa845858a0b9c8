#!/usr/bin/env bash
# Isolated words: a speaker-independent model adapted to each speaker that it was not trained on, with 1, 2, 5 and 10
# utterances, by several methods, and tested on the speaker's other utterances.
#
#   recipes/isolated_words/run_adapt.sh --corpus DIR --words dspspeech20|arabic_commands [--stage N] [--stop-stage M]
#                                       [--nj N]
#
# Stages: 0 prepare, 1 perturb speed, features, 2 train on all words, 3 choose settings on dev speakers, 4 adapt to the
# test speakers. Studies and training resume. Results: exp/WORDS/adapt/dev and exp/WORDS/adapt/test, each with table.md
# and chart.svg.
set -euo pipefail

stage=0
stop_stage=4
corpus=
words=
nj=$(nproc)

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh
source local/corpus.sh

if run_stage 0 "data directories from the corpus, speakers divided"; then
  prepare
fi

if run_stage 1 "speed perturbation, features, some speech of training speakers"; then
  speechtl data perturb-speed "$data/train" "$data/train_sp" --factors 0.9,1.0,1.1 --overwrite
  speechtl features "$data"/{train_sp,dev,test} --config conf/adapt.toml --nj "$nj"
  # To see what adaptation forgets, and to repeat some of it.
  awk -v some="$some" 'NR % some == 0 { print $1 }' "$data/train/utt2spk" >"$data/train_some.list"
  speechtl data subset "$data/train_sp" "$data/train_some" --utterance-list "$data/train_some.list" --overwrite
fi

if run_stage 2 "the speaker-independent model"; then
  train adapt "$exp/adapt" "data.0.train=$data/train_sp" "data.0.dev=$data/dev" "data.0.lexicon=$lexicon"
fi

study() { # study PART OPTIONS...
  speechtl study "$exp/adapt" "$data/$1" "$exp/adapt/$1" --folds 2 --source-speech "$data/train_some" \
    --replay "$data/train_sp" --title "$title, $1 speakers" "${@:2}"
}

# The linear layer after the first block instead of before it.
hidden="linear hidden=lin,blocks=first:1,learning_rate=5e-4"
# On the speaker's recordings and as many of the training speakers.
replay="with training speech=conservative_training,learning_rate=3e-2,replay=10,augment=true,epochs=12,frames=3000"

if run_stage 3 "settings, on dev speakers"; then
  study dev --counts 1,2,5,10 --seeds 1,2 --every-epoch --system lin --system "$hidden" \
    --system "slow lin=lin,learning_rate=1e-3" --system "slow conservative lin=lin,learning_rate=1e-3,weight=0.5" \
    --system fine_tuning --system conservative=conservative_training --system lhuc
  study dev --counts 2,5,10 --seeds 1,2 --system default --system "default, 3 folds=default,folds=3" \
    --system "default, 10 folds=default,folds=10"
fi

if run_stage 4 "test speakers"; then
  study test --counts 1,2,5,10 --seeds 1,2,3 --system default
  study test --counts 1,2,5,10,0 --seeds 1,2,3 --system lin --system conservative=conservative_training \
    --system fine_tuning --system lhuc
  study test --counts 10 --seeds 1,2,3 --system "$hidden" \
    --system "conservative_parameters=conservative_training,distance=parameter" \
    --system layers=layer_transfer --system adapter --system lora --system "$replay"
fi

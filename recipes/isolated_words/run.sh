#!/usr/bin/env bash
# Isolated words that training never had: each is unseen in one of four folds, and found by its phones.
#
#   recipes/isolated_words/run.sh --corpus DIR --words dspspeech20|arabic_commands [--stage N] [--stop-stage M]
#                                 [--nj N] [--folds "1 2 3 4"]
#
# Stages: 0 prepare, 1 validate, perturb speed, features, 2 train on phones with CTC, each fold, 3 align, splice phones,
# train frame by frame, each fold, 4 splice the unseen words and train further, each fold, 5 train on whole words, one
# fold, 6 tune on dev, decode the test part, 7 the tables. Everything is written below data/WORDS and exp/WORDS of this
# folder; training resumes.
set -euo pipefail

stage=0
stop_stage=7
corpus=
words=
nj=$(nproc)
folds="1 2 3 4"

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh
source local/corpus.sh

if run_stage 0 "data directories from the corpus, speakers and words divided"; then
  prepare
fi

if run_stage 1 "validation, speed perturbation, features"; then
  for part in train dev test; do
    speechtl data validate "$data/$part"
  done
  speechtl data perturb-speed "$data/train" "$data/train_sp" --factors 0.9,1.0,1.1 --overwrite
  speechtl features "$data"/{train_sp,dev,test} --config conf/phones.toml --nj "$nj"
  for fold in 1 2 3 4; do
    for part in train_sp dev; do
      awk 'NR == FNR { unseen[$1]; next } !($2 in unseen) { print $1 }' "$data/fold$fold/unseen_words" \
        "$data/$part/text" >"$data/fold$fold/$part.list"
      speechtl data subset "$data/$part" "$data/fold$fold/${part%_sp}" \
        --utterance-list "$data/fold$fold/$part.list" --overwrite
    done
  done
fi

if run_stage 2 "acoustic models of phones"; then
  for fold in $folds; do
    of_fold=$data/fold$fold
    train phones "$exp/phones_fold$fold" "data.0.train=$of_fold/train" "data.0.dev=$of_fold/dev" \
      "data.0.lexicon=$lexicon"
  done
fi

if run_stage 3 "acoustic models of phones where they are, half of them in other contexts"; then
  for fold in $folds; do
    of_fold=$data/fold$fold aligner=$exp/aligner_fold$fold
    train aligner "$aligner" "data.0.train=$of_fold/train" "data.0.dev=$of_fold/dev" "data.0.lexicon=$lexicon"
    speechtl align "$aligner" "$of_fold/train" "$aligner/align" --no-textgrids --nj "$nj"
    cp "$aligner/align/phones.ctm" "$of_fold/train/"
    speechtl data splice "$of_fold/train" "$of_fold/train/phones.ctm" "$of_fold/spliced" --config conf/frames.toml \
      --lexicon "$lexicon" --overwrite
    train frames "$exp/frames_fold$fold" "data.0.train=['$of_fold/train', '$of_fold/spliced']" \
      "data.0.dev=$of_fold/dev" "data.0.lexicon=$of_fold/spliced/lang/lexicon.txt"
  done
fi

model_lexicon() { # model_lexicon MODEL: in its phones; the nearest ones replace those that it lacks
  speechtl lexicon convert "$lexicon" "$1/lexicon.txt" --notation ipa --experiment "$1" --tone drop
}

if run_stage 4 "the same, and the unseen words spliced from pieces of other words"; then
  for fold in $folds; do
    of_fold=$data/fold$fold source=$exp/frames_fold$fold
    model_lexicon "$source"
    speechtl data splice "$of_fold/train" "$of_fold/train/phones.ctm" "$of_fold/added" --words "$of_fold/unseen_words" \
      --config conf/frames.toml --lexicon "$source/lexicon.txt" --copies 3 --overwrite
    train added "$exp/added_fold$fold" "data.0.train=['$of_fold/train', '$of_fold/spliced', '$of_fold/added']" \
      "data.0.dev=$of_fold/dev" "data.0.lexicon=$of_fold/added/lang/lexicon.txt" "transfer.0.source=$source"
  done
fi

if run_stage 5 "acoustic model of whole words, the contrast"; then
  train whole_words "$exp/whole_words_fold1" "data.0.train=$data/fold1/train" "data.0.dev=$data/fold1/dev"
fi

if run_stage 6 "settings from dev speakers, then the test part"; then
  for model in $(for fold in $folds; do echo "$exp"/{phones,frames,added}_fold"$fold"; done); do
    fold=${model##*_fold}
    [ -e "$model/weights.h5" ] || continue # a stage that was left out
    model_lexicon "$model"
    speechtl decode "$model" "$data/fold$fold/dev" "$model/dev" --lexicon "$model/lexicon.txt" \
      --tune "$data/fold$fold/dev" --nj "$nj"
    speechtl decode "$model" "$data/test" "$model/test" --lexicon "$model/lexicon.txt" \
      --config "$model/dev/tuned.toml" --nj "$nj"
  done
  if [ -e "$exp/whole_words_fold1/weights.h5" ]; then
    # Its units are words, so what decode calls phones are the words.
    speechtl decode "$exp/whole_words_fold1" "$data/test" "$exp/whole_words_fold1/test"
  fi
fi

if run_stage 7 "results"; then
  folders=()
  for fold in $folds; do
    folders+=("$data/fold$fold")
  done
  for system in phones frames added; do
    [ -e "$exp/${system}_fold${folds%% *}/test/text" ] || continue
    python local/results.py "$data/test" --folds "${folders[@]}" \
      --hypotheses "$exp/${system}_{fold}/test/text" --whole-words "$exp/whole_words_{fold}/test/phones" \
      --details "$exp/words_$system" | sed "s/^phones,/$system,/" | tee "$exp/results_$system"
  done
fi

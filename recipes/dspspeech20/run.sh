#!/usr/bin/env bash
# DSPSpeech-20, words that training never had: each is unseen in one of four folds, found by its phones.
#
#   recipes/dspspeech20/run.sh --corpus DIR [--stage N] [--stop-stage M] [--nj N] [--folds "1 2 3 4"]
#
# Stages: 0 prepare, 1 validate, perturb speed, features, 2 train on phones with CTC, each fold, 3 align, splice phones,
# train frame by frame, each fold, 4 splice the unseen words and train on, each fold, 5 train on whole words, one fold,
# 6 tune on dev, decode the test part, 7 the tables. Everything is written below data/ and exp/ of this folder; training
# resumes.
set -euo pipefail

stage=0
stop_stage=7
corpus=
nj=$(nproc)
folds="1 2 3 4"

while [ $# -gt 0 ]; do
  [ $# -gt 1 ] || set -- --usage ""
  case $1 in
    --stage) stage=$2 ;;
    --stop-stage) stop_stage=$2 ;;
    --corpus) corpus=$(realpath -m "$2") ;;
    --nj) nj=$2 ;;
    --folds) folds=$2 ;;
    *) sed -n '2,8p' "$0" >&2; exit 1 ;;
  esac
  shift 2
done

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR
source ../env.sh
# shellcheck source-path=SCRIPTDIR
source ../stages.sh

lexicon=conf/lexicon.txt

if run_stage 0 "data directories from the corpus, speakers and words divided"; then
  if [ -z "$corpus" ]; then
    echo "error: give the corpus with --corpus DIR: a clone of the git repository zhongyuchen/DSPSpeech-20 from GitHub" >&2
    exit 1
  fi
  python local/prepare.py --corpus "$corpus" --lexicon $lexicon --out data --folds 4 --seed 1
fi

if run_stage 1 "validation, speed perturbation, features"; then
  for part in train dev test; do
    speechtl data validate data/$part
  done
  speechtl data perturb-speed data/train data/train_sp --factors 0.9,1.0,1.1 --overwrite
  speechtl features data/train_sp data/dev data/test --config conf/phones.toml --nj "$nj"
  for fold in 1 2 3 4; do
    for part in train_sp dev; do
      awk 'NR == FNR { unseen[$1]; next } !($2 in unseen) { print $1 }' data/fold$fold/unseen_words data/$part/text \
        >data/fold$fold/$part.list
      speechtl data subset data/$part data/fold$fold/${part%_sp} --utterance-list data/fold$fold/$part.list --overwrite
    done
  done
fi

if run_stage 2 "acoustic models of phones"; then
  for fold in $folds; do
    speechtl train conf/phones.toml "exp/phones_fold$fold" \
      --set "data.0.train=data/fold$fold/train" --set "data.0.dev=data/fold$fold/dev"
  done
fi

if run_stage 3 "acoustic models of phones where they are, half of them in other contexts"; then
  for fold in $folds; do
    data=data/fold$fold exp=exp/aligner_fold$fold
    speechtl train conf/aligner.toml "$exp" --set "data.0.train=$data/train" --set "data.0.dev=$data/dev"
    speechtl align "$exp" "$data/train" "$exp/align" --no-textgrids --nj "$nj"
    cp "$exp/align/phones.ctm" "$data/train/"
    speechtl data splice "$data/train" "$data/train/phones.ctm" "$data/spliced" --config conf/frames.toml \
      --lexicon $lexicon --overwrite
    speechtl train conf/frames.toml "exp/frames_fold$fold" --set "data.0.train=['$data/train', '$data/spliced']" \
      --set "data.0.dev=$data/dev" --set "data.0.lexicon=$data/spliced/lang/lexicon.txt"
  done
fi

if run_stage 4 "the same, and the unseen words said with pieces of other words"; then
  for fold in $folds; do
    data=data/fold$fold exp=exp/frames_fold$fold
    # In the phones of the model; what it lacks is replaced by the nearest that it has.
    speechtl lexicon convert $lexicon "$exp/lexicon.txt" --from ipa --experiment "$exp" --tone drop
    speechtl data splice "$data/train" "$data/train/phones.ctm" "$data/added" --words "$data/unseen_words" \
      --config conf/frames.toml --lexicon "$exp/lexicon.txt" --copies 3 --overwrite
    speechtl train conf/added.toml "exp/added_fold$fold" \
      --set "data.0.train=['$data/train', '$data/spliced', '$data/added']" --set "data.0.dev=$data/dev" \
      --set "data.0.lexicon=$data/added/lang/lexicon.txt" --set "transfer.0.source=$exp"
  done
fi

if run_stage 5 "acoustic model of whole words, the contrast"; then
  speechtl train conf/whole_words.toml exp/whole_words_fold1 \
    --set data.0.train=data/fold1/train --set data.0.dev=data/fold1/dev
fi

if run_stage 6 "settings from dev speakers, then the test part"; then
  for exp in $(for fold in $folds; do echo exp/{phones,frames,added}_fold$fold; done); do
    fold=${exp##*_fold}
    [ -e "$exp/weights.h5" ] || continue # a stage that was left out
    speechtl lexicon convert $lexicon "$exp/lexicon.txt" --from ipa --experiment "$exp" --tone drop
    speechtl decode "$exp" "data/fold$fold/dev" "$exp/dev" --lexicon "$exp/lexicon.txt" \
      --tune "data/fold$fold/dev" --nj "$nj"
    speechtl decode "$exp" data/test "$exp/test" --lexicon "$exp/lexicon.txt" \
      --config "$exp/dev/tuned.toml" --nj "$nj"
  done
  if [ -e exp/whole_words_fold1/weights.h5 ]; then
    # Its units are words, so what decode calls phones are the words.
    speechtl decode exp/whole_words_fold1 data/test exp/whole_words_fold1/test
  fi
fi

if run_stage 7 "results"; then
  folders=()
  for fold in $folds; do
    folders+=("data/fold$fold")
  done
  for system in phones frames added; do
    [ -e "exp/${system}_fold${folds%% *}/test/text" ] || continue
    python local/results.py data/test --folds "${folders[@]}" \
      --hypotheses "exp/${system}_{fold}/test/text" --whole-words "exp/whole_words_{fold}/test/phones" \
      --details "exp/words_$system" | sed "s/^phones,/$system,/" | tee "exp/results_$system"
  done
fi

#!/usr/bin/env bash
# AN4 with words held out: trained without any utterance that has one of ../corpora/an4_unseen_words.txt, tested on all words.
#
#   recipes/an4/run_unseen.sh --corpus DIR [--stage N] [--stop-stage M] [--nj N]
#
# Stages: 0 prepare, 1 hold words out, perturb speed, features, 2 lexicon and language models, 3 train on phones with CTC,
# 4 align, splice phones, train frame by frame, 5 splice the held-out words and train on, 6 train on whole words, 7 tune
# the decoding on dev, 8 decode the test part, 9 accuracy of unseen and seen words. Training resumes. Data that
# run.sh makes too are the same files; the rest is in data/unseen and exp/unseen*.
set -euo pipefail

stage=0
stop_stage=9
corpus=
nj=$(nproc)

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh

# The dictionary and further pronunciations of held-out words, as general dictionaries have them.
lexicon=data/unseen/lang/lexicon.txt

# What is known of the unseen words at decoding time, apart from their pronunciation. Each way is tuned on dev.
# The ranges that they are chosen from, and the bonus, were chosen on all dev utterances, held-out words too.
#   none      no language model: any word may follow any word
#   seen      a language model of the training transcripts that are left: unseen words share its <unk>
#   bonus     the same with a bonus for every word that it lacks (otherwise with its settings)
#   all_text  a language model of all training transcripts: their speech is held out, text is cheap
ways="none seen bonus all_text"
bonus=(--set decoding.oov_penalty=-5)
models="exp/unseen exp/unseen_frames exp/unseen_added"

lm_for() { # lm_for WAY dev|test: set lm, the options that name it; that of the dev part excludes dev
  case $1-$2 in
    none-*) lm=() ;;
    seen-dev) lm=(--lm data/unseen/lang/train.arpa) ;;
    seen-test | bonus-test) lm=(--lm data/unseen/lang/train_all.arpa) ;;
    all_text-dev) lm=(--lm data/lang/train.arpa) ;;
    all_text-test) lm=(--lm data/lang/train_all.arpa) ;;
  esac
}

if run_stage 0 "data directories from the corpus"; then
  python ../corpora/an4.py --corpus "$corpus" --out data --tables spk2gender
fi

if run_stage 1 "words held out, speed perturbation, features"; then
  python local/hold_out_words.py choose --text data/train/text --lexicon data/dict/lexicon.txt --seed 1 \
    --out data/unseen/words.txt
  if ! cmp -s data/unseen/words.txt ../corpora/an4_unseen_words.txt; then
    echo "error: the rule gives other words than ../corpora/an4_unseen_words.txt; is this the whole corpus?" \
      "(copy data/unseen/words.txt there to go on with these)" >&2
    exit 1
  fi
  for part in train train_all dev; do
    python local/hold_out_words.py keep --text data/$part/text --words ../corpora/an4_unseen_words.txt \
      --out data/unseen/$part.list --vocabulary data/unseen/$part.words
    speechtl data subset data/$part data/unseen/$part --utterance-list data/unseen/$part.list --overwrite
  done
  speechtl data perturb-speed data/unseen/train data/unseen/train_sp --factors 0.9,1.0,1.1 --overwrite
  speechtl features data/unseen/train_sp data/unseen/dev data/test --config conf/unseen.toml --nj "$nj"
fi

if run_stage 2 "lexicon and language models"; then
  speechtl lexicon convert data/dict/lexicon.txt data/lang/lexicon.txt --notation arpabet
  mkdir -p data/unseen/lang
  cat data/lang/lexicon.txt ../corpora/an4_unseen_variants.txt >$lexicon
  speechtl lm data/train/text -o data/lang/train.arpa --order 4 --vocabulary $lexicon --dev data/unseen/dev/text
  speechtl lm data/train_all/text -o data/lang/train_all.arpa --order 4 --vocabulary $lexicon
  # The words of these texts are their vocabulary, so that all others, the unseen ones too, are <unk>.
  for part in train train_all; do
    speechtl lm data/unseen/$part/text -o data/unseen/lang/$part.arpa --order 4 \
      --vocabulary data/unseen/$part.words
  done
fi

if run_stage 3 "acoustic model, phones, CTC"; then
  speechtl train conf/unseen.toml exp/unseen
fi

if run_stage 4 "acoustic model, phones where they are, half of them in other contexts"; then
  speechtl train conf/unseen_aligner.toml exp/unseen_aligner
  speechtl align exp/unseen_aligner data/unseen/train_sp exp/unseen_aligner/align --lexicon $lexicon \
    --no-textgrids --nj "$nj"
  cp exp/unseen_aligner/align/phones.ctm data/unseen/train_sp/
  speechtl data splice data/unseen/train_sp data/unseen/train_sp/phones.ctm data/unseen/spliced \
    --config conf/unseen_frames.toml --lexicon $lexicon --overwrite
  speechtl train conf/unseen_frames.toml exp/unseen_frames
fi

if run_stage 5 "the same, and the held-out words spliced from pieces of other words"; then
  speechtl data splice data/unseen/train_sp data/unseen/train_sp/phones.ctm data/unseen/added \
    --words ../corpora/an4_unseen_words.txt --config conf/unseen_frames.toml --lexicon $lexicon --overwrite
  speechtl train conf/unseen_added.toml exp/unseen_added
fi

if run_stage 6 "acoustic model, whole words"; then
  speechtl train conf/unseen_whole_words.toml exp/unseen_whole_words
fi

grid_for() { # grid_for MODEL WAY: set grid; models trained frame by frame leave fewer penalties to choose
  grid=()
  case $1-$2 in
    exp/unseen-*) ;;
    *-none) grid=(--grid "word_insertion_penalty=3,4,5") ;;
    *) grid=(--grid "lm_weight=0.75,1,1.5" --grid "word_insertion_penalty=0,1,2") ;;
  esac
}

if run_stage 7 "decoding settings, on dev utterances without unseen words"; then
  for exp in $models; do
    for way in ${ways/bonus/}; do
      lm_for "$way" dev
      grid_for "$exp" "$way"
      speechtl decode "$exp" data/unseen/dev "$exp/dev_$way" --lexicon $lexicon ${lm[@]+"${lm[@]}"} \
        --tune data/unseen/dev ${grid[@]+"${grid[@]}"} --nj "$nj"
      speechtl score data/unseen/dev "$exp/dev_$way/text" --out "$exp/dev_$way/wer"
    done
  done
fi

if run_stage 8 "decode the test part"; then
  for exp in $models; do
    for way in $ways; do
      lm_for "$way" test
      settings=(--config "$exp/dev_${way/bonus/seen}/tuned.toml")
      [ "$way" != bonus ] || settings+=("${bonus[@]}")
      speechtl decode "$exp" data/test "$exp/test_$way" --lexicon $lexicon ${lm[@]+"${lm[@]}"} \
        "${settings[@]}" --nj "$nj"
      speechtl score data/test "$exp/test_$way/text" --out "$exp/test_$way/wer"
    done
  done
  # Its units are words, so what decode calls phones are the words.
  speechtl decode exp/unseen_whole_words data/test exp/unseen_whole_words/test
fi

if run_stage 9 "accuracy of unseen and seen words"; then
  accuracy="python ../shared/held_out_accuracy.py data/test --words ../corpora/an4_unseen_words.txt --training data/unseen/train/text"
  systems=("whole words, greedy=exp/unseen_whole_words/test/phones")
  for exp in $models; do
    systems+=(
      "${exp#exp/}, no language model=$exp/test_none/text"
      "${exp#exp/}, language model without them=$exp/test_seen/text"
      "${exp#exp/}, language model without them, bonus=$exp/test_bonus/text"
      "${exp#exp/}, language model of all text=$exp/test_all_text/text"
    )
  done
  $accuracy --details exp/unseen/words_recognised "${systems[@]}" | tee exp/unseen/word_accuracy
  # For comparison, where run.sh has trained on everything: the same words, seen in training.
  if [ -e exp/tdnn/test/text ]; then
    $accuracy "trained on all words, phones, language model of all text=exp/tdnn/test/text" |
      tee -a exp/unseen/word_accuracy
  fi
fi

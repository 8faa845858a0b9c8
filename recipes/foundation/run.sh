#!/usr/bin/env bash
# What a foundation encoder brings: Whisper base under small heads, on little speech. README.md has the results.
#
#   recipes/foundation/run.sh --corpora DIR [--encoder hf:openai/whisper-base] [--stage N] [--stop-stage M] [--nj N]
#
# --corpora DIR holds the folders an4, dspspeech20, arabic_commands, kerstin_de, festvox_ru, speechocean762; what is missing
# is left out, with a message. --encoder: a checkpoint by name or folder, or an experiment directory.
#
# Stages: 0 data directories, 1 lexicons and features, 2 the encoder; then one script for each question, which also runs
# alone: 3 languages.sh, 4 words.sh, 5 unheard.sh, 6 layers.sh, 7 speakers.sh. Everything is written below data/ and exp/
# of this folder; training resumes.
set -euo pipefail

stage=0
stop_stage=7
nj=$(nproc)
corpora=
encoder=hf:openai/whisper-base

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh

names="an4 dspspeech20 arabic_commands kerstin_de festvox_ru speechocean762"

if run_stage 0 "data directories from the corpora"; then
  found=0
  for name in $names; do
    if [ -z "$corpora" ] || [ ! -d "$corpora/$name" ]; then
      echo "left out: $name (${corpora:-no --corpora DIR}/$name is not there); README.md says how to get it" >&2
      continue
    fi
    found=1
    options=(--tables utt2lang,utt2dom)
    [ $name != dspspeech20 ] || options+=(--languages zh)
    python "../corpora/$name.py" --corpus "$corpora/$name" --out "data/$name" "${options[@]}"
  done
  if [ $found = 0 ]; then
    echo "error: none of the corpora is there; give them with --corpora DIR" >&2
    exit 1
  fi
fi

if run_stage 1 "lexicons, validation, features"; then
  for name in an4 speechocean762; do
    if [ -d data/$name ]; then
      speechtl lexicon convert data/$name/dict/lexicon.txt data/$name/lexicon.txt --notation arpabet
    fi
  done
  if [ -d data/dspspeech20 ]; then
    # Twelve words of Mandarin are too few to learn its tones from.
    speechtl lexicon convert data/dspspeech20/lexicon.txt data/dspspeech20/lexicon.txt --notation ipa --tone drop
  fi
  if [ -d data/kerstin_de ]; then
    speechtl lexicon g2p --rules de -n 1 --words data/kerstin_de/words.txt --out data/kerstin_de/lexiconp.txt
    cut -d' ' -f1,3- data/kerstin_de/lexiconp.txt >data/kerstin_de/lexicon.txt
  fi
  if [ -d data/festvox_ru ]; then
    # Russian spelling hides the stress; the labels, by word, have it.
    speechtl lexicon g2p --rules ru -n 6 --words data/festvox_ru/words.txt --out data/festvox_ru/lexiconp.txt
    python ../corpora/label_lexicon.py --text data/festvox_ru/{train,dev,test}/text --labels data/festvox_ru/labels.txt \
      --guesses data/festvox_ru/lexiconp.txt --out data/festvox_ru/lexicon.txt
  fi
  for name in $names; do
    [ -d "data/$name" ] || continue
    for part in train dev test; do
      speechtl data validate "data/$name/$part"
    done
    speechtl features "data/$name/"{train,dev,test} --config conf/features.toml --nj "$nj"
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

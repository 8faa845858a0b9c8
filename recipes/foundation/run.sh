#!/usr/bin/env bash
# What a foundation encoder brings: Whisper base under small heads, on little speech. README.md has the results.
#
#   recipes/foundation/run.sh --corpora DIR [--encoder hf:openai/whisper-base] [--stage N] [--stop-stage M] [--nj N]
#
# --corpora DIR holds the folders an4, dspspeech20, arabic_commands, kerstin_de, festvox_ru, speechocean762, persian (and
# persian_dictionaries), taiwanese; recipes/corpora/README.md says how to get each. What is missing is left out, with a message.
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
  if [ -d data/persian ]; then
    # Its dictionaries lack a third of the words.
    mkdir -p data/persian/guessed
    speechtl lexicon g2p --lexicon data/persian/dictionary.txt --words data/persian/unknown.txt -n 1 --out data/persian/guessed/lexiconp.txt
    cut -d' ' -f1,3- data/persian/guessed/lexiconp.txt | LC_ALL=C sort -u - data/persian/lexicon.txt >data/persian/all_words.txt
  fi
  for name in $names; do
    [ -d "data/$name" ] || continue
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

#!/usr/bin/env bash
# Multitask learning on isolated words: one trunk and a head for each of three languages, against each language alone with
# ten minutes of it.
# Runs after stages 0 and 1 of run.sh.
#
#   recipes/multilingual/multitask_words.sh [--seeds "1 2 3"]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

small="ar zh en-dsp"

for seed in $seeds; do
  for language in $small; do
    have "$language" || continue
    data=data/${corpus_of[$language]}
    exp=exp/monolingual_${language}_$seed
    train conf/monolingual_words.toml "$exp" seed="$seed" data.0.language="$language" data.0.train="$data/train_10min_$seed" \
      data.0.dev="$data/dev" data.0.lexicon="$data/lexicon.txt"
    for part in dev test; do
      measure "$exp" "$language" "$data/$part" $part
    done
  done
  # shellcheck disable=SC2086
  if have $small; then
    exp=exp/multitask_words_$seed
    train conf/multitask_words.toml "$exp" seed="$seed" data.0.train=data/arabic/train_10min_"$seed" \
      data.1.train=data/dspspeech_zh/train_10min_"$seed" data.2.train=data/dspspeech_en/train_10min_"$seed"
    for language in $small; do
      for part in dev test; do
        measure "$exp" "$language" "data/${corpus_of[$language]}/$part" $part
      done
    done
  fi
done

for language in $small; do
  echo "$language, ten minutes"
  python local/table.py "monolingual=exp/monolingual_${language}_{seed}/$language" \
    "multitask, three languages=exp/multitask_words_{seed}/$language"
done

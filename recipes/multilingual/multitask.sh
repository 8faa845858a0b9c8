#!/usr/bin/env bash
# Multitask learning on sentences: German and Russian, ten minutes each, with English, one trunk and a head for each;
# against each of the two alone. Runs after stages 0 and 1 of run.sh.
#
#   recipes/multilingual/multitask.sh [--seeds "1 2 3"] [--nj N]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have en de ru || exit 0

for seed in $seeds; do
  both=exp/multitask_$seed
  train conf/multitask.toml "$both" seed="$seed" data.0.train=data/kerstin/train_10min_"$seed" \
    data.1.train=data/festvox/train_10min_"$seed"
  for language in de ru; do
    alone=exp/monolingual_${language}_$seed
    train_alone conf/monolingual.toml "$alone" $language
    for part in dev test; do
      for exp in "$both" "$alone"; do
        measure "$exp" $language "data/${corpus_of[$language]}/$part" $part
      done
    done
  done
done

for language in de ru; do
  echo "$language, ten minutes"
  python ../shared/rates_table.py "monolingual=exp/monolingual_${language}_{seed}/$language" \
    "multitask, with English=exp/multitask_{seed}/$language"
done

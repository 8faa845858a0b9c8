#!/usr/bin/env bash
# Which layers of the encoder transfer to another language: a small head on the output of each block, the rest left out.
#
#   recipes/foundation/layers.sh [--languages "de ru"] [--seeds "1 2 3"] [--nj N]
set -euo pipefail

languages="de ru"
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

for language in $languages; do
  data=data/${corpus_of[$language]}
  have "${corpus_of[$language]}" || continue
  rows=()
  for block in stem transformer1 transformer2 transformer3 transformer4 transformer5 transformer6; do
    rows+=("$block=exp/${language}_${block}_{seed}/$language")
    for seed in $seeds; do
      exp=exp/${language}_${block}_$seed
      train conf/head.toml "$exp" seed="$seed" data.0.language="$language" data.0.train="$data/train_10min_$seed" \
        data.0.dev="$data/dev" data.0.lexicon="$data/lexicon.txt" model.sum_over="$block" augmentation.after="$block"
      measure "$exp" "$language" dev
    done
  done
  echo "$language"
  python ../shared/rates_table.py "${rows[@]}" --parts dev
done

#!/usr/bin/env bash
# Multitask learning on sentences: German and Russian, ten minutes each, with English, one trunk and a head for each; against
# each of the two alone; and on from the model of three with one of them alone. Runs after stages 0 and 1 of run.sh.
#
#   recipes/multilingual/multitask.sh [--seeds "1 2 3"]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have en de ru || exit 0

for seed in $seeds; do
  both=exp/multitask_$seed
  train conf/multitask.toml "$both" seed="$seed" data.0.train=data/kerstin/train_10min_"$seed" \
    data.1.train=data/festvox/train_10min_"$seed"
  for language in de ru; do
    alone=exp/monolingual_${language}_$seed
    tuned=exp/multitask_tuned_${language}_$seed
    train_alone conf/monolingual.toml "$alone" $language
    # The heads of the others stay behind.
    train_alone conf/multitask_tuned.toml "$tuned" $language transfer.0.source="$both" \
      transfer.0.fresh="[\"heads/[!${language:0:1}]*\"]"
    for part in dev test; do
      for exp in "$both" "$alone" "$tuned"; do
        measure "$exp" $language "data/${corpus_of[$language]}/$part" $part
      done
    done
  done
done

for language in de ru; do
  echo "$language, ten minutes"
  python local/table.py "monolingual=exp/monolingual_${language}_{seed}/$language" \
    "multitask, with English=exp/multitask_{seed}/$language" \
    "and on with the language alone=exp/multitask_tuned_${language}_{seed}/$language"
done

#!/usr/bin/env bash
# Multitask learning with sentences and isolated words: German, Russian, Arabic and Mandarin, ten minutes each, with
# English, one trunk and a head for each; against each of the four alone; and further training of the model of five with
# one of them alone. Runs after stages 0 and 1 of run.sh.
#
#   recipes/multilingual/multitask_five.sh [--seeds "1 2 3"] [--nj N]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have en de ru ar zh || exit 0
small="de ru ar zh"

for seed in $seeds; do
  all=exp/multitask_five_$seed
  settings=()
  number=0
  for language in $small; do
    settings+=("data.$number.train=data/${corpus_of[$language]}/train_10min_$seed")
    number=$((number + 1))
  done
  train conf/multitask_five.toml "$all" seed="$seed" "${settings[@]}"
  for language in $small; do
    alone=exp/monolingual_${language}_$seed
    tuned=exp/multitask_five_tuned_${language}_$seed
    longer=exp/monolingual_longer_${language}_$seed
    train_alone conf/monolingual.toml "$alone" "$language"
    # As many passes as the model of five and what follows make together.
    train_alone conf/monolingual.toml "$longer" "$language" training.epochs=120
    # The heads of the others are left out.
    train_alone conf/multitask_tuned.toml "$tuned" "$language" transfer.0.source="$all" \
      transfer.0.fresh="[\"heads/[!${language:0:1}]*\"]"
    for part in dev test; do
      for exp in "$all" "$alone" "$longer" "$tuned"; do
        measure "$exp" "$language" "data/${corpus_of[$language]}/$part" $part
      done
    done
  done
done

for language in $small; do
  echo "$language, ten minutes"
  python ../shared/rates_table.py "monolingual=exp/monolingual_${language}_{seed}/$language" \
    "monolingual, twice the passes=exp/monolingual_longer_${language}_{seed}/$language" \
    "multitask, five languages=exp/multitask_five_{seed}/$language" \
    "and on with the language alone=exp/multitask_five_tuned_${language}_{seed}/$language"
done

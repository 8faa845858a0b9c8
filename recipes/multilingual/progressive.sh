#!/usr/bin/env bash
# Progressive networks against fine-tuning: Arabic, ten minutes, after German, Russian and English (the models of
# multitask.sh, which are made first). Runs after stages 0 and 1 of run.sh.
#
#   recipes/multilingual/progressive.sh [--seeds "1 2 3"] [--nj N]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have en de ru ar || exit 0

for seed in $seeds; do
  old=exp/multitask_$seed
  if [ ! -e "$old/weights.h5" ]; then
    ./multitask.sh --seeds "$seed"
  fi
  ten=data/arabic/train_10min_$seed
  train conf/fine_tuning.toml "exp/fine_tuning_$seed" seed="$seed" data.0.train="$ten" transfer.0.source="$old"
  # The column in the new experiment is the old model; its heads stay in the old experiment, so that its figures do not
  # change.
  train conf/progressive.toml "exp/progressive_$seed" seed="$seed" data.0.train="$ten" transfer.0.columns="[\"$old\"]"
  train conf/progressive_copied.toml "exp/progressive_copied_$seed" seed="$seed" data.0.train="$ten" \
    transfer.0.source="$old" transfer.1.columns="[\"$old\"]"
  # From fresh weights: what the old languages are worth to the new one.
  train_alone conf/monolingual.toml "exp/monolingual_ar_$seed" ar
  train_alone conf/monolingual.toml "exp/monolingual_longer_ar_$seed" ar training.epochs=120
  for part in test dev; do
    for system in monolingual_ar monolingual_longer_ar fine_tuning progressive progressive_copied; do
      measure "exp/${system}_$seed" ar data/arabic/$part $part
    done
    for language in de ru; do
      measure "exp/fine_tuning_$seed" $language "data/${corpus_of[$language]}/$part" $part
    done
  done
done

echo "the new language, ar"
python ../shared/rates_table.py "alone=exp/monolingual_ar_{seed}/ar" \
  "alone, twice the passes=exp/monolingual_longer_ar_{seed}/ar" \
  "fine-tuning=exp/fine_tuning_{seed}/ar" \
  "progressive=exp/progressive_{seed}/ar" "progressive, from a copy=exp/progressive_copied_{seed}/ar"
for language in de ru; do
  echo "an old language, $language"
  python ../shared/rates_table.py "before, and with progressive networks=exp/multitask_{seed}/$language" \
    "fine-tuning=exp/fine_tuning_{seed}/$language"
done

#!/usr/bin/env bash
# Ten minutes of a language, and one minute: its phones, from the frozen encoder under a small head; from the model of three
# other languages; and two languages jointly with English.
#
#   recipes/foundation/languages.sh [--languages "de ru ar zh"] [--minutes "10 1"] [--systems "head after_source multitask"]
#                                   [--seeds "1 2 3"] [--nj N]
set -euo pipefail

languages="de ru ar zh"
minutes="10 1"
systems="head after_source multitask"
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

for language in $languages; do
  data=data/${corpus_of[$language]}
  have "${corpus_of[$language]}" || continue
  for seed in $seeds; do
    for length in $minutes; do
      for conf in $systems; do
        [ "$conf" != multitask ] || continue
        exp=exp/${conf}_${language}_${length}min_$seed
        [ "$conf" = head ] || [ -e exp/source/weights.h5 ] || continue
        epochs=20 frames=3200
        # With a tenth of the speech twice as many updates: CTC leaves the blanks after some hundred.
        [ "$length" = 10 ] || epochs=$((5 * epochs)) frames=800
        train "conf/$conf.toml" "$exp" seed="$seed" data.0.language="$language" \
          data.0.train="$data/train_${length}min_$seed" data.0.dev="$data/dev" data.0.lexicon="$data/lexicon.txt" \
          training.epochs=$epochs batches.frames=$frames
        for part in dev test; do
          measure "$exp" "$language" $part
        done
      done
    done
  done
done

if [[ " $systems " == *" multitask "* ]] && have an4 kerstin_de festvox_ru; then
  for seed in $seeds; do
    exp=exp/multitask_$seed
    train conf/multitask.toml "$exp" seed="$seed" data.0.train=data/kerstin_de/train_10min_"$seed" \
      data.1.train=data/festvox_ru/train_10min_"$seed"
    for language in de ru; do
      for part in dev test; do
        measure "$exp" $language $part
      done
    done
  done
fi

for language in de ru ar zh; do
  echo "$language"
  rows=()
  for minutes in 10 1; do
    rows+=("$minutes min, the encoder alone=exp/head_${language}_${minutes}min_{seed}/$language")
    rows+=("$minutes min, after others=exp/after_source_${language}_${minutes}min_{seed}/$language")
  done
  [ $language != de ] && [ $language != ru ] || rows+=("10 min, with others=exp/multitask_{seed}/$language")
  python ../shared/rates_table.py "${rows[@]}"
done

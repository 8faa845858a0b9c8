#!/usr/bin/env bash
# Self-taught learning: a trunk from unlabelled speech, then 1, 5, 20 and 100 % of AN4's labels, with and without it.
#
#   recipes/multilingual/self_taught.sh [--seeds "1 2 3"] [--nj N]
#
# Runs after stages 0 and 1 of run.sh, which calls this as a stage.
# Labelled parts grow: what 1 % has, 5 % of the same seed has too. Prints dev and test phone error rates (greedy).
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have en || exit 0

out=exp/self_taught
speechtl train conf/self_taught_pretrain.toml $out/pretrain

for percent in 1 5 20 100; do
  # As many updates as each needs to be done with its few utterances.
  case $percent in
    1) utterances=8 epochs=200 ;;
    5) utterances=42 epochs=80 ;;
    20) utterances=169 epochs=60 ;;
    100) utterances=$(wc -l <data/an4/train/text) epochs=30 ;;
  esac
  for seed in $seeds; do
    part=data/an4/train_${percent}percent_$seed
    speechtl data subset data/an4/train "$part" --utterances "$utterances" --seed "$seed" --overwrite
    for system in self_taught_baseline self_taught; do
      exp=$out/${system#self_taught_}_${percent}_$seed
      speechtl train conf/$system.toml "$exp" --set "data.0.train=$part" --set "seed=$seed" \
        --set "training.epochs=$epochs"
      for data in dev test; do
        speechtl decode "$exp" data/an4/$data "$exp/$data" --nj "$nj"
        speechtl score data/an4/$data "$exp/$data/phones" --unit phone --lexicon data/an4/lexicon.txt \
          --out "$exp/$data/per"
      done
    done
  done
done
python local/self_taught_results.py $out

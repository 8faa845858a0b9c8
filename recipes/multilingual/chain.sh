#!/usr/bin/env bash
# Composition in time and space: four configs, each of which begins where the one before ended. Runs after stages 0
# and 1 of run.sh.
#
#   recipes/multilingual/chain.sh [--seeds "1 2 3"] [--nj N]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have en de ru ar || exit 0

# The first of the four needs no seed of its own: self_taught.sh begins with the same model.
train conf/self_taught_pretrain.toml exp/self_taught/pretrain
for seed in $seeds; do
  chain=exp/chain_$seed
  ten=data/arabic/train_10min_$seed
  train conf/chain_2_multitask.toml "${chain}_2" seed="$seed" data.0.train=data/kerstin/train_10min_"$seed" \
    data.1.train=data/festvox/train_10min_"$seed"
  train conf/chain_3_transfer.toml "${chain}_3" seed="$seed" transfer.0.source="${chain}_2" data.0.train="$ten"
  train conf/chain_4_conservative_adversarial.toml "${chain}_4" seed="$seed" transfer.0.source="${chain}_3" \
    transfer.1.source="${chain}_3" data.0.train="$ten"
  # The chain's end from fresh weights.
  train_alone conf/monolingual.toml "exp/monolingual_ar_$seed" ar
  for part in dev test; do
    for exp in "${chain}_3" "${chain}_4" "exp/monolingual_ar_$seed"; do
      measure "$exp" ar data/arabic/$part $part
    done
  done
done

python ../shared/rates_table.py "alone=exp/monolingual_ar_{seed}/ar" "self-taught, multitask, transfer=exp/chain_{seed}_3/ar" \
  "and conservative, speaker-adversarial=exp/chain_{seed}_4/ar"

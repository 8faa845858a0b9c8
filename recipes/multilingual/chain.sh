#!/usr/bin/env bash
# Composition in time and space: four configs, each of which begins where the one before ended. Runs after stages 0 and 1
# of run.sh.
#
#   recipes/multilingual/chain.sh [--seeds "1 2 3"]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have en zh en-dsp ar || exit 0

for seed in $seeds; do
  chain=exp/chain_$seed
  train conf/chain_1_self_taught.toml "${chain}_1" seed="$seed"
  train conf/chain_2_multitask.toml "${chain}_2" seed="$seed" transfer.0.source="${chain}_1"
  train conf/chain_3_transfer.toml "${chain}_3" seed="$seed" transfer.0.source="${chain}_2" \
    data.0.train=data/arabic/train_10min_"$seed"
  train conf/chain_4_conservative_adversarial.toml "${chain}_4" seed="$seed" transfer.0.source="${chain}_3" \
    transfer.1.source="${chain}_3" data.0.train=data/arabic/train_10min_"$seed"
  for part in dev test; do
    for step in 3 4; do
      measure "${chain}_$step" ar data/arabic/$part $part
    done
  done
done

python local/table.py "monolingual=exp/monolingual_ar_{seed}/ar" "self-taught, multitask, transfer=exp/chain_{seed}_3/ar" \
  "and conservative, speaker-adversarial=exp/chain_{seed}_4/ar"

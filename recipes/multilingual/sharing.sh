#!/usr/bin/env bash
# What two languages of the same speakers should share: all blocks, the first ones, the last ones. Runs after
# stages 0 and 1 of run.sh.
#
#   recipes/multilingual/sharing.sh [--seeds "1 2 3"] [--nj N]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have zh en-dsp || exit 0

for seed in $seeds; do
  # All blocks, the first four of six, the last four.
  for shared in all first:4 last:4; do
    exp=exp/sharing_${shared/:/}_$seed
    train conf/sharing.toml "$exp" seed="$seed" data.0.train=data/dspspeech_zh/train_10min_"$seed" \
      transfer.0.shared="$shared"
    for part in dev test; do
      measure "$exp" zh data/dspspeech_zh/$part $part
    done
  done
  alone=exp/sharing_none_$seed
  train_alone conf/monolingual.toml "$alone" zh model.encoder.size=128 training.epochs=20
  for part in dev test; do
    measure "$alone" zh data/dspspeech_zh/$part $part
  done
done

echo "zh with en-dsp"
python ../shared/rates_table.py "monolingual=exp/sharing_none_{seed}/zh" "all shared=exp/sharing_all_{seed}/zh" \
  "first four blocks shared=exp/sharing_first4_{seed}/zh" "last four blocks shared=exp/sharing_last4_{seed}/zh"

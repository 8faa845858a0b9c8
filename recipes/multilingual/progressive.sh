#!/usr/bin/env bash
# Progressive networks against fine-tuning: Arabic, ten minutes, after Mandarin and English (the second
# model of chain.sh, which is made first). Runs after stages 0 and 1 of run.sh.
#
#   recipes/multilingual/progressive.sh [--seeds "1 2 3"]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have zh en-dsp ar || exit 0

# One old model for all seeds of what follows.
old=exp/chain_1_2
if [ ! -e $old/weights.h5 ]; then
  ./chain.sh --seeds 1
fi
measure $old zh data/dspspeech_zh/dev dev
measure $old zh data/dspspeech_zh/test test

for seed in $seeds; do
  ten=data/arabic/train_10min_$seed
  train conf/fine_tuning.toml "exp/fine_tuning_$seed" seed="$seed" data.0.train="$ten" transfer.0.source="$old"
  # The column in the new experiment is the old model; its heads stay in the old experiment, whose figures do not change.
  train conf/progressive.toml "exp/progressive_$seed" seed="$seed" data.0.train="$ten" transfer.0.columns="[\"$old\"]"
  for part in dev test; do
    measure "exp/fine_tuning_$seed" ar data/arabic/$part $part
    measure "exp/fine_tuning_$seed" zh data/dspspeech_zh/$part $part
    measure "exp/progressive_$seed" ar data/arabic/$part $part
  done
done

echo "the new language, ar"
python local/table.py "monolingual=exp/monolingual_ar_{seed}/ar" "fine-tuning=exp/fine_tuning_{seed}/ar" \
  "progressive=exp/progressive_{seed}/ar"
echo "the old language, zh"
python local/table.py "before, and with progressive networks=exp/chain_{seed}_2/zh" "fine-tuning=exp/fine_tuning_{seed}/zh"

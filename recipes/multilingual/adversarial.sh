#!/usr/bin/env bash
# Domain-adversarial training: clean AN4 with transcripts, telephone speech without. Runs after stages 0 and 1 of run.sh.
#
#   recipes/multilingual/adversarial.sh [--seeds "1 2 3"]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have en || exit 0
telephone=data/an4_telephone

if [ ! -e $telephone/target/feats.scp ]; then
  # Every other speaker's speech stays clean and has transcripts; that of the others comes by telephone. Of each there are
  # 20 seconds.
  mkdir -p $telephone
  awk 'NR % 2 { print $1 }' data/an4/train/spk2utt >$telephone/source_speakers
  awk 'NR % 2 == 0 { print $1 }' data/an4/train/spk2utt >$telephone/target_speakers
  speechtl data subset data/an4/train $telephone/source --speaker-list $telephone/source_speakers \
    --seconds-per-speaker 20 --overwrite
  speechtl data subset data/an4/train $telephone/clean_target --speaker-list $telephone/target_speakers --overwrite
  python local/telephone.py $telephone/clean_target $telephone/target_all --snr 20
  for part in dev test; do
    python local/telephone.py data/an4/$part $telephone/$part --snr 20
  done
  for part in target_all dev test; do
    speechtl data validate $telephone/$part
  done
  speechtl features $telephone/{target_all,dev,test} --config conf/features.toml
  speechtl data subset $telephone/target_all $telephone/target --seconds-per-speaker 20 --overwrite
fi

systems="adversarial_source_longer adversarial adversarial_target"
for seed in $seeds; do
  source=exp/adversarial_source_$seed
  train conf/adversarial_source.toml "$source" seed="$seed"
  for system in $systems; do
    train conf/$system.toml "exp/${system}_$seed" seed="$seed" transfer.0.source="$source"
  done
done
for seed in $seeds; do
  for system in $systems; do
    measure "exp/${system}_$seed" en $telephone/dev dev
    measure "exp/${system}_$seed" en $telephone/test test
    measure "exp/${system}_$seed" en data/an4/test clean_test
  done
done

python local/table.py "source only=exp/adversarial_source_longer_{seed}/en" "adversarial=exp/adversarial_{seed}/en" \
  "source and target with transcripts=exp/adversarial_target_{seed}/en" --parts dev test clean_test

for block in tdnn1 last:1; do
  speechtl domains exp/adversarial_source_longer_1 exp/adversarial_1 exp/adversarial_target_1 --data data/an4/test \
    --data $telephone/test --block $block --output exp/adversarial_${block/:/}.svg
done

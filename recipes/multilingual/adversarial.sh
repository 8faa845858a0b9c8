#!/usr/bin/env bash
# Domain-adversarial training: clean AN4 with transcripts, telephone speech without, with noise 30 and 20 dB below it.
# Runs after stages 0 and 1 of run.sh.
#
#   recipes/multilingual/adversarial.sh [--seeds "1 2 3"] [--nj N]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have en || exit 0
telephone=data/an4_telephone
noises="30 20" # dB

if [ ! -e $telephone/20/target/feats.scp ]; then
  # Every other speaker's speech stays clean and has transcripts; that of the others comes by telephone. Of each there
  # are 20 seconds.
  mkdir -p $telephone
  awk 'NR % 2 { print $1 }' data/an4/train/spk2utt >$telephone/source_speakers
  awk 'NR % 2 == 0 { print $1 }' data/an4/train/spk2utt >$telephone/target_speakers
  speechtl data subset data/an4/train $telephone/source --speaker-list $telephone/source_speakers \
    --seconds-per-speaker 20 --seed 0 --overwrite
  speechtl data subset data/an4/train $telephone/clean_target --speaker-list $telephone/target_speakers --overwrite
  for noise in $noises; do
    place=$telephone/$noise
    python local/telephone.py $telephone/clean_target "$place/target_all" --snr "$noise"
    for part in dev test; do
      python local/telephone.py data/an4/$part "$place/$part" --snr "$noise"
    done
    for part in target_all dev test; do
      speechtl data validate "$place/$part"
    done
    speechtl features "$place"/{target_all,dev,test} --config conf/features.toml
    speechtl data subset "$place/target_all" "$place/target" --seconds-per-speaker 20 --seed 0 --overwrite
  done
fi

systems="adversarial_source_longer adversarial adversarial_target"
for seed in $seeds; do
  source=exp/adversarial_source_$seed
  train conf/adversarial_source.toml "$source" seed="$seed"
  for noise in $noises; do
    place=$telephone/$noise
    for system in $systems; do
      exp=exp/adversarial/$noise/${system}_$seed
      speech=()
      case $system in
        adversarial) speech=(data.0.unlabelled="$place/target") ;;
        adversarial_target) speech=(data.0.train="[\"$telephone/source\", \"$place/target\"]") ;;
      esac
      train "conf/$system.toml" "$exp" seed="$seed" transfer.0.source="$source" ${speech[@]+"${speech[@]}"}
      measure "$exp" en "$place/dev" dev
      measure "$exp" en "$place/test" test
      measure "$exp" en data/an4/test clean_test
    done
  done
done

for noise in $noises; do
  echo "telephone, noise $noise dB below the speech"
  results=exp/adversarial/$noise
  python ../shared/rates_table.py "source only=$results/adversarial_source_longer_{seed}/en" \
    "adversarial=$results/adversarial_{seed}/en" \
    "source and target with transcripts=$results/adversarial_target_{seed}/en" \
    --parts dev test clean_test
  for block in tdnn1 last:1; do
    speechtl probe "$results"/adversarial{_source_longer,,_target}_1 \
      --data data/an4/test --data "$telephone/$noise/test" --block $block \
      --out "exp/adversarial_${noise}_${block/:/}.svg"
  done
done

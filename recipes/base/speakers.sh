#!/usr/bin/env bash
# Adaptation to the 125 test speakers of speechocean762, adults and children apart: ten recordings of each, tested on the other ten.
#
#   recipes/base/speakers.sh [--model DIR] [--systems "SYSTEM SYSTEM ..."] [--parts "adults children"] [--counts 10] [--nj N]
#
# --systems are those of speechtl study; by default LHUC at the last two blocks, and further training of what stands on the
# encoder (of base: of its last block), both on stored outputs of the blocks below. Methods that change the features or lower
# blocks take many times as long.
# Results: exp/evaluation/MODEL/speakers/PART/table.md and chart.svg; "dev" is a part, too, the one to choose a system on.
set -euo pipefail

systems=
parts="adults children"
counts=10
source "$(dirname "${BASH_SOURCE[0]}")/local/evaluated.sh"

have speechocean762/dev speechocean762/test || exit 0
if [ -z "$systems" ]; then
  frozen=first:3
  ! grep -q '^\[model\.top\]' "$model/config.toml" || frozen=encoder
  systems="lhuc=lhuc,blocks=last:2 upper=layer_transfer,blocks=$frozen"
fi
data=data/speechocean762 out=$results/speakers
mkdir -p "$out"
decode=(--language en --lexicon "$data/lexicon.txt")
if [ ! -e "$out/dev_words/tuned.toml" ]; then
  # The model of dev has not read dev; that of the test half has.
  speechtl lm $data/train/text -o $data/dev.arpa --order 3 --vocabulary $data/lexicon.txt
  speechtl lm $data/train_all/text -o $data/test.arpa --order 3 --vocabulary $data/lexicon.txt
  speechtl decode "$model" $data/dev "$out/dev_words" "${decode[@]}" --lm $data/dev.arpa --tune $data/dev --nj "$nj" \
    --grid lm_weight=0.7,1,1.4,2 --grid word_insertion_penalty=0,1,2,3 --grid blank_penalty=1,2,3,4
fi
tried=()
for system in $systems; do
  tried+=(--system "$system")
done
for part in $parts; do
  place=$data/test_$part lm=$data/test.arpa
  [ "$part" != dev ] || place=$data/dev lm=$data/dev.arpa
  speechtl study "$model" "$place" "$out/$part" --folds 2 --counts "$counts" "${tried[@]}" "${decode[@]}" --lm "$lm" \
    --config "$out/dev_words/tuned.toml" --title "speechocean762, $part"
done

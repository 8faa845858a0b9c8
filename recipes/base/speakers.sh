#!/usr/bin/env bash
# Adaptation to the 125 test speakers of speechocean762, adults and children apart: one and ten recordings of each, tested on ten others.
#
#   recipes/base/speakers.sh [--model DIR] [--systems "SYSTEM SYSTEM ..."] [--parts "adults children"] [--counts 1,10] [--nj N]
#
# --systems are those of speechtl study; by default what speechtl adapt does by default, with its word about whether to adapt at all.
# Methods that change the features or lower blocks of the encoder take many times as long.
# Results: exp/evaluation/MODEL/speakers/PART/table.md and chart.svg; "dev" is a part, too, the one to choose a system on.
set -euo pipefail

systems=default
parts="adults children"
counts=1,10
source "$(dirname "${BASH_SOURCE[0]}")/local/evaluated.sh"

have speechocean762/dev speechocean762/test || exit 0
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

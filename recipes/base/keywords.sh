#!/usr/bin/env bash
# Keywords in running speech: what share of them is missed at how many false alarms, in the test half of speechocean762.
#
#   recipes/base/keywords.sh [--model DIR] [--seeds "1"] [--nj N]
#
# Twenty words that training has and twenty that it has not, of at least five phones, drawn by the seed (local/draw_keywords.py).
# The lexicon has nothing but these words; everything else is phones (--oov phones). What a phone that is in no keyword costs
# says how readily something is taken for a keyword: the curve goes through these costs, and the confidences within each, so
# that nothing is chosen on the test. Results: exp/evaluation/MODEL/keywords/keywords_SEED.md and curve_SEED.svg, and phones.md: the
# error rates of the phones of that speech.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/evaluated.sh"

have speechocean762/dev speechocean762/test || exit 0
data=data/speechocean762
out=$results/keywords
mkdir -p "$out"

phone_errors() { # phone_errors PART PENALTY: error rates of phones and of their features with a blank penalty
  local place=$out/$1/blank_$2
  is_new "$out/$1/phones" || speechtl decode "$reader" "$data/$1" "$out/$1" --language en --save-posteriors "$out/$1"
  speechtl decode "$reader" "$data/$1" "$place" --language en --posteriors "$out/$1/posteriors.scp" \
    --set decoding.blank_penalty="$2"
  speechtl score "$data/$1" "$place/phones" --unit phone --lexicon $data/lexicon.txt --out "$place/per" | grep '^%P'
}

if ! is_new "$out/penalty"; then
  for penalty in 0 0.5 1 1.5 2 3; do
    echo "$penalty $(phone_errors dev $penalty | sed -n 's/^%PFER \([0-9.]*\).*/\1/p')"
  done | tee "$out/dev.txt"
  sort -k 2,2n "$out/dev.txt" | head -1 | cut -d' ' -f1 >"$out/penalty"
fi
{
  echo "$name, blank penalty $(cat "$out/penalty")"
  phone_errors test "$(cat "$out/penalty")"
} | tee "$out/phones.md"
for seed in $seeds; do
  keywords=$out/keywords_$seed.txt runs=()
  python local/draw_keywords.py $data/test/text --lexicon $data/lexicon.txt --training data/an4/train/text $data/train/text \
    --seed "$seed" --out "$keywords"
  for cost in 1 1.5 2 2.5 3 3.5 4 5; do
    # The wider default beam takes twenty times as long where phones cost little.
    is_new "$out/$seed/$cost/ctm" || speechtl decode "$reader" $data/test "$out/$seed/$cost" --language en --lexicon "$keywords" \
      --posteriors "$out/test/posteriors.scp" --oov phones --set decoding.filler_phone_penalty=$cost \
      --set decoding.filler_penalty=0 --set decoding.word_insertion_penalty=0 --beam 8 --nj "$nj"
    runs+=("$out/$seed/$cost")
  done
  {
    echo "$name, seed $seed"
    python local/detection_curve.py $data/test --keywords "$keywords" "$name=$(IFS=,; echo "${runs[*]}")" \
      --points "$out/curve_$seed.tsv"
  } | tee "$out/keywords_$seed.md"
  speechtl chart "$out/curve_$seed.tsv" "$out/curve_$seed.svg" --title "Keywords in running speech" \
    --x "false alarms per keyword and hour" --y "missed, %" --log-x
done

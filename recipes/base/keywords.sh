#!/usr/bin/env bash
# Keywords in running speech: what share of them is missed at how many false alarms, in the test half of speechocean762.
#
#   recipes/base/keywords.sh [--model DIR] [--seeds "1"] [--nj N]
#
# Twenty words that training has and twenty that it has not, of at least five phones, drawn by the seed (local/draw_keywords.py).
# The lexicon has nothing but these words; everything else is phones (--oov phones). How readily they are taken for words is
# chosen on keywords of the dev speakers. Results: exp/evaluation/MODEL/keywords.md and .svg.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/evaluated.sh"

have speechocean762/dev speechocean762/test || exit 0
data=data/speechocean762
out=$results/keywords
for part in dev test; do
  is_new "$out/$part/phones" || speechtl decode "$model" $data/$part "$out/$part" --language en --save-posteriors "$out/$part"
done

spot() { # spot PART PENALTY SEED: the keywords of a part, with confidence; dropping a filler's phone costs PENALTY
  speechtl decode "$model" "$data/$1" "$out/$1/$3_$2" --language en --posteriors "$out/$1/posteriors.scp" --nj "$nj" \
    --lexicon "$out/$1/keywords_$3.txt" --oov phones --set decoding.word_insertion_penalty=0 --set decoding.filler_penalty=0 \
    --set decoding.filler_phone_penalty="$2"
}

for seed in $seeds; do
  for part in dev test; do
    # Dev is too small for words that are said more often.
    times=2
    [ $part = test ] || times=1
    python local/draw_keywords.py $data/$part/text --lexicon $data/lexicon.txt --training data/an4/train/text $data/train/text \
      --times $times --seed "$seed" --out "$out/$part/keywords_$seed.txt"
  done
  curves=()
  for penalty in 1 2 3 4 5; do
    spot dev $penalty "$seed"
    curves+=("$penalty=$out/dev/${seed}_$penalty")
  done
  python local/detection_curve.py $data/dev --keywords "$out/dev/keywords_$seed.txt" "${curves[@]}" --best | tee "$out/dev_$seed.txt"
  penalty=$(tail -1 "$out/dev_$seed.txt")
  spot test "$penalty" "$seed"
  {
    echo "$name, seed $seed, filler_phone_penalty $penalty (chosen on dev)"
    python local/detection_curve.py $data/test --keywords "$out/test/keywords_$seed.txt" "$name=$out/test/${seed}_$penalty" \
      --points "$out/curve_$seed.tsv"
  } | tee "$out/keywords_$seed.md"
  speechtl chart "$out/curve_$seed.tsv" "$out/curve_$seed.svg" --title "Keywords in running speech" \
    --x "false alarms per keyword and hour" --y "missed, %" --log-x
done

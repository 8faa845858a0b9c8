#!/usr/bin/env bash
# What training never heard, by pronunciation alone: 40 Arabic words after no Arabic at all, and ten words of AN4 that no
# training utterance has, neither of the model of three languages nor of one of the rest of AN4 alone.
#
#   recipes/foundation/unheard.sh [--seeds "1 2 3"] [--nj N]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"
source ../shared/without_words.sh

if have arabic_commands dspspeech20 && [ -e exp/source/weights.h5 ]; then
  # Penalties are chosen on words of another language that training has not either.
  options=(--inventory lexicon --language en --set decoding.mode=isolated --no-times)
  speechtl decode exp/source data/dspspeech20/dev exp/source/zh_dev --lexicon data/dspspeech20/lexicon.txt "${options[@]}" \
    --tune data/dspspeech20/dev --grid "blank_penalty=-2,0,2,4,6,8"
  for name in arabic_commands dspspeech20; do
    speechtl decode exp/source data/$name/test exp/source/$name --lexicon data/$name/lexicon.txt "${options[@]}" \
      --config exp/source/zh_dev/tuned.toml
    speechtl score data/$name/test exp/source/$name/text --out exp/source/$name/wer
  done
fi

if have an4; then
  words=../corpora/an4_unseen_words.txt
  cat data/an4/lexicon.txt ../corpora/an4_unseen_variants.txt >data/an4/lexicon_unseen.txt
  for part in train dev; do
    without_words $words data/an4/$part data/an4/${part}_seen
  done
  speechtl lm data/an4/train_all/text -o data/an4/lm_all.arpa --order 4 --vocabulary data/an4/lexicon_unseen.txt
  speechtl lm data/an4/train/text -o data/an4/lm.arpa --order 4 --vocabulary data/an4/lexicon_unseen.txt
  for seed in $seeds; do
    train conf/an4_unseen.toml "exp/an4_unseen_$seed" seed="$seed"
  done
  # shellcheck disable=SC2086 # seeds are words of one string
  for exp in exp/source $(printf 'exp/an4_unseen_%s ' $seeds); do
    [ -e "$exp/weights.h5" ] || continue
    out=$exp/an4_unseen
    # Without a language model, and with one of all training transcripts: speech is held out, text is not.
    for way in none all_text; do
      lm_dev=() lm_test=()
      [ $way = none ] || lm_dev=(--lm data/an4/lm.arpa) lm_test=(--lm data/an4/lm_all.arpa)
      [ ! -e "$out/$way/wer/wer" ] || continue
      speechtl decode "$exp" data/an4/dev_seen "$out/${way}_dev" --language en --lexicon data/an4/lexicon_unseen.txt \
        "${lm_dev[@]}" --tune data/an4/dev_seen
      speechtl decode "$exp" data/an4/test "$out/$way" --language en --lexicon data/an4/lexicon_unseen.txt "${lm_test[@]}" \
        --config "$out/${way}_dev/tuned.toml"
      speechtl score data/an4/test "$out/$way/text" --out "$out/$way/wer"
    done
    python ../shared/held_out_accuracy.py data/an4/test --words $words --training data/an4/train_seen/text \
      "none=$out/none/text" "of all text=$out/all_text/text" | tee "$out/table.md"
  done
fi

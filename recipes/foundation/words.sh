#!/usr/bin/env bash
# AN4's words: the frozen encoder under a small head, trained on AN4's 37 minutes.
#
#   recipes/foundation/words.sh [--seeds "1 2 3"] [--nj N]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have an4 || exit 0
lexicon=data/an4/lexicon.txt

# Decoding is tuned on dev with a language model of the training transcripts; that of the test part has those of dev too.
speechtl lm data/an4/train/text -o data/an4/lm.arpa --order 4 --vocabulary $lexicon --dev data/an4/dev/text
speechtl lm data/an4/train_all/text -o data/an4/lm_all.arpa --order 4 --vocabulary $lexicon
for seed in $seeds; do
  exp=exp/an4_$seed
  train conf/an4.toml "$exp" seed="$seed"
  if [ ! -e "$exp/test/wer/wer" ]; then
    speechtl decode "$exp" data/an4/dev "$exp/dev" --lm data/an4/lm.arpa --lexicon $lexicon --tune data/an4/dev
    speechtl decode "$exp" data/an4/test "$exp/test" --lm data/an4/lm_all.arpa --lexicon $lexicon \
      --config "$exp/dev/tuned.toml"
    speechtl score data/an4/test "$exp/test/text" --seed 0 --out "$exp/test/wer"
  fi
  measure "$exp" en test
done

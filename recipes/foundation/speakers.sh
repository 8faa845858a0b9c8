#!/usr/bin/env bash
# Speakers of speechocean762: a model of its training half, adapted to each speaker of its test half with ten recordings.
#
#   recipes/foundation/speakers.sh [--nj N]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have speechocean762 || exit 0
data=data/speechocean762
exp=exp/speechocean762

speechtl lm $data/train/text -o $data/lm.arpa --order 3 --vocabulary $data/lexicon.txt --dev $data/dev/text
speechtl lm $data/train_all/text -o $data/lm_all.arpa --order 3 --vocabulary $data/lexicon.txt
train conf/speechocean762.toml $exp
if [ ! -e $exp/test/wer/wer ]; then
  speechtl decode $exp $data/dev $exp/dev --lexicon $data/lexicon.txt --lm $data/lm.arpa --tune $data/dev --nj "$nj"
  speechtl decode $exp $data/test $exp/test --lexicon $data/lexicon.txt --lm $data/lm_all.arpa \
    --config $exp/dev/tuned.toml --nj "$nj"
  speechtl score $data/test $exp/test/text --seed 0 --out $exp/test/wer
  speechtl score $data/test $exp/test/phones --unit phone --lexicon $data/lexicon.txt --out $exp/test/per
fi

study() { # study PART LM OPTIONS...
  speechtl study $exp "$data/$1" "$exp/study_$1" --folds 2 --counts 10 --lexicon $data/lexicon.txt --lm "$2" \
    --config $exp/dev/tuned.toml "${@:3}"
}

# Settings are chosen on the dev speakers, then counted once on each of the others.
study dev $data/lm.arpa --system default --system lhuc --system lora --system conservative=conservative_training
study test $data/lm_all.arpa --system default

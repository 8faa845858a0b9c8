#!/usr/bin/env bash
# Speakers of speechocean762: the model of source.toml, which has heard its training half, adapted to each speaker of its test half with ten recordings.
#
#   recipes/foundation/speakers.sh [--nj N]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

have speechocean762 || exit 0
[ -e exp/source/weights.h5 ] || exit 0
data=data/speechocean762
exp=exp/source
out=$exp/speechocean762

speechtl lm $data/train/text -o $data/lm.arpa --order 3 --vocabulary $data/lexicon.txt --dev $data/dev/text
speechtl lm $data/train_all/text -o $data/lm_all.arpa --order 3 --vocabulary $data/lexicon.txt
if [ ! -e $out/test/wer/wer ]; then
  decode=(--language en --lexicon "$data/lexicon.txt" --nj "$nj")
  speechtl decode $exp $data/dev $out/dev --lm $data/lm.arpa --tune $data/dev "${decode[@]}"
  speechtl decode $exp $data/test $out/test --lm $data/lm_all.arpa --config $out/dev/tuned.toml "${decode[@]}"
  speechtl score $data/test $out/test/text --seed 0 --out $out/test/wer
  speechtl score $data/test $out/test/phones --unit phone --lexicon $data/lexicon.txt --out $out/test/per
fi

study() { # study PART LM OPTIONS...
  speechtl study $exp "$data/$1" "$out/study_$1" --folds 2 --counts 10 --language en --lexicon $data/lexicon.txt --lm "$2" \
    --config $out/dev/tuned.toml "${@:3}"
}

# Settings are chosen on the dev speakers, then counted once on each of the others.
study dev $data/lm.arpa --system default --system lhuc --system lora --system conservative=conservative_training
study test $data/lm_all.arpa --system default

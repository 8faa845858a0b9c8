#!/usr/bin/env bash
# AN4: from the corpus to a scored word error rate. README.md says what the corpus is and how to get it.
#
#   recipes/an4/run.sh --corpus DIR [--stage N] [--stop-stage M] [--nj N] [--conf TOML]
#
# --conf: conf/tdnn_refined.toml, which trains further from conf/tdnn.toml, unless another one is named.
# Stages: 0 prepare, 1 validate, perturb speed, features, 2 lexicon and language models, 3 train, 4 tune the
# decoding on dev, 5 decode the test part once, 6 score. Everything is written below data/ and exp/ of this folder;
# training resumes.
set -euo pipefail

stage=0
stop_stage=6
corpus=
nj=$(nproc)
conf=conf/tdnn_refined.toml

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh dictionaries
source ../shared/stages.sh

exp=exp/$(basename "$conf" .toml)

if run_stage 0 "data directories from the corpus"; then
  python ../corpora/an4.py --corpus "$corpus" --out data --tables spk2gender
fi

if run_stage 1 "validation, speed perturbation, features"; then
  for part in train_all train dev test; do
    speechtl data validate data/$part
  done
  speechtl data perturb-speed data/train data/train_sp --factors 0.9,1.0,1.1 --overwrite
  speechtl features data/train_sp data/dev data/test --config "$conf" --nj "$nj"
fi

if run_stage 2 "lexicon and language models"; then
  speechtl lexicon convert data/dict/lexicon.txt data/lang/lexicon.txt --notation arpabet
  # Two fifths of the utterances spell a name: English words, spelled, are a second kind of sentences.
  speechtl lexicon build-english data/lang/english.txt
  cut -d' ' -f1 data/lang/english.txt | grep -xE '[a-z]{4,9}' | LC_ALL=C sort -u | tr '[:lower:]' '[:upper:]' |
    sed 's/./& /g; s/ $//' >data/lang/spelled.txt
  speechtl lm data/lang/spelled.txt --text-column plain -o data/lang/spelled.arpa --order 6 --prune 0,0,0,0,1,1 \
    --vocabulary data/lang/lexicon.txt
  # Decoding is tuned on dev with a language model that excludes dev; that of the test part has all 74 speakers.
  # The share of the spelled words is what --dev data/dev/text would choose.
  speechtl lm data/train/text -o data/lang/lm.arpa --order 4 --vocabulary data/lang/lexicon.txt \
    --mix data/lang/spelled.arpa --share 0.24 --dev data/dev/text
  speechtl lm data/train_all/text -o data/lang/lm_all.arpa --order 4 --vocabulary data/lang/lexicon.txt \
    --mix data/lang/spelled.arpa --share 0.24
fi

if run_stage 3 "acoustic model"; then
  if grep -q 'source = "exp/tdnn"' "$conf"; then
    speechtl train conf/tdnn.toml exp/tdnn
  fi
  speechtl train "$conf" "$exp"
fi

# The intervals of README.md were drawn with seed 0.
if run_stage 4 "decoding settings, on dev"; then
  speechtl decode "$exp" data/dev "$exp/dev" --lexicon data/lang/lexicon.txt --lm data/lang/lm.arpa \
    --tune data/dev --nj "$nj"
  speechtl score data/dev "$exp/dev/text" --seed 0 --out "$exp/dev/wer"
fi

if run_stage 5 "decode the test part"; then
  speechtl decode "$exp" data/test "$exp/test" --lexicon data/lang/lexicon.txt --lm data/lang/lm_all.arpa \
    --config "$exp/dev/tuned.toml" --nj "$nj"
fi

if run_stage 6 "score"; then
  speechtl score data/test "$exp/test/text" --seed 0 --out "$exp/test/wer"
  speechtl score data/test "$exp/test/phones" --unit phone --lexicon data/lang/lexicon.txt --seed 0 \
    --out "$exp/test/per"
  speechtl report "$exp"
fi

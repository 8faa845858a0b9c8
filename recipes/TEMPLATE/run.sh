#!/usr/bin/env bash
# TEMPLATE: from the corpus to a scored word error rate. README.md says what the corpus is and how to get it.
#
#   recipes/TEMPLATE/run.sh --corpus DIR [--stage N] [--stop-stage M] [--nj N] [--conf TOML]
#
# --conf: conf/tdnn.toml, unless another one is named.
# Stages: 0 prepare, 1 validate, perturb speed, features, 2 language model, 3 train, 4 tune the decoding on dev, 5 decode
# the test part, 6 score. Everything is written below data/ and exp/ of this folder; training resumes.
set -euo pipefail

# Every option of the header has a default here: --stop-stage sets stop_stage.
stage=0
stop_stage=6
corpus=
nj=$(nproc)
conf=conf/tdnn.toml

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh

exp=exp/$(basename "$conf" .toml)

if run_stage 0 "data directories from the corpus"; then
  python ../corpora/TEMPLATE.py --corpus "$corpus" --out data
fi

if run_stage 1 "validation, speed perturbation, features"; then
  for part in train dev test; do
    speechtl data validate data/$part
  done
  speechtl data perturb-speed data/train data/train_sp --factors 0.9,1.0,1.1 --overwrite
  speechtl features data/{train_sp,dev,test} --config "$conf" --nj "$nj"
fi

if run_stage 2 "language model of the training transcripts"; then
  # An n-gram that has not read dev, on which the decoding is tuned.
  speechtl lm data/train/text -o data/words.arpa --order 3 --vocabulary data/lexicon.txt
fi

if run_stage 3 "acoustic model"; then
  speechtl train "$conf" "$exp"
fi

if run_stage 4 "decoding settings, on dev"; then
  speechtl decode "$exp" data/dev "$exp/dev" --lexicon data/lexicon.txt --lm data/words.arpa --tune data/dev --nj "$nj"
fi

if run_stage 5 "decode the test part"; then
  # Once, when everything has been chosen on dev.
  speechtl decode "$exp" data/test "$exp/test" --lexicon data/lexicon.txt --lm data/words.arpa \
    --config "$exp/dev/tuned.toml" --nj "$nj"
fi

if run_stage 6 "score"; then
  for part in dev test; do
    speechtl score "data/$part" "$exp/$part/text" --out "$exp/$part/wer"
    speechtl score "data/$part" "$exp/$part/phones" --unit phone --lexicon data/lexicon.txt --out "$exp/$part/per"
  done
  speechtl report "$exp"
fi

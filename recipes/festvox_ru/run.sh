#!/usr/bin/env bash
# festvox_ru: from the corpus to phone boundaries, measured against its labels. README.md says what the corpus is.
#
#   recipes/festvox_ru/run.sh --corpus DIR [--stage N] [--stop-stage M] [--nj N] [--conf conf/tdnn.toml]
#
# Stages: 0 prepare, 1 validate, features, 2 train, 3 align without and with refinement, 4 compare with the labels.
# Everything is written below data/ and exp/ of this folder; training resumes.
set -euo pipefail

stage=0
stop_stage=4
corpus=
nj=$(nproc)
conf=conf/tdnn.toml

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh

exp=exp/$(basename "$conf" .toml)

if run_stage 0 "data directories from the corpus"; then
  python ../corpora/festvox_ru.py --corpus "$corpus" --out data --text phones
fi

if run_stage 1 "validation, features"; then
  speechtl data validate data/all
  speechtl features data/all data/train data/dev --config "$conf" --nj "$nj"
fi

if run_stage 2 "acoustic model"; then
  speechtl train "$conf" "$exp"
fi

if run_stage 3 "alignment of phones"; then
  for refine in never always; do
    speechtl align "$exp" data/all "$exp/align_$refine" --phones --refine $refine --nj "$nj"
  done
fi

if run_stage 4 "boundaries against the labels"; then
  for refine in never always; do
    python local/boundaries.py data/reference.ctm "$exp/align_$refine/phones.ctm" --dev data/dev/text |
      tee "$exp/align_$refine/boundaries"
  done
fi

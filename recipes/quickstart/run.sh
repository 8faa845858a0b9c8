#!/usr/bin/env bash
# The quickstart: train on several voices, adapt to a new one, decode words that training never had. Needs nothing but
# Python 3.10-3.12: it sets up the environment and synthesises its speech.
#
#   recipes/quickstart/run.sh [--stage N] [--stop-stage M] [--nj N]
#
# Stages: 0 synthesise, 1 features, 2 train on several voices, 3 decode known and unseen words, 4 adapt to a new voice,
# 5 the table. Everything is written below data/ and exp/ of this folder; training resumes.
set -euo pipefail

stage=0
stop_stage=5
nj=1 # so little speech that starting more processes takes longer than they save

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh synthesis
source ../shared/stages.sh

# decode_and_score MODEL DATA LANGUAGE NAME: words through the lexicon, no language model; scores in exp/NAME
decode_and_score() {
  speechtl decode "exp/$1" "data/$2" "exp/$4" --lexicon "data/lang/$3.txt" --language "$3"
  speechtl score "data/$2" "exp/$4/text" | tee "exp/$4/wer"
  speechtl score "data/$2" "exp/$4/phones" --unit phone --lexicon "data/lang/$3.txt" | tee "exp/$4/per"
}

if run_stage 0 "speech of synthetic voices"; then
  python local/synthesise.py --words conf/words.toml --lexicons ../../lexicons --out data
  for part in data/*_*/; do speechtl data validate "$part"; done
fi

if run_stage 1 "features"; then
  speechtl features data/*_*/ --config conf/base.toml --nj "$nj"
fi

if run_stage 2 "one model from twelve voices and three languages"; then
  speechtl train conf/base.toml exp/base
fi

if run_stage 3 "known words and unseen words, in voices that training never had"; then
  for language in en de es; do
    decode_and_score base test_$language $language test_$language
  done
  decode_and_score base unseen_en en unseen_en
fi

if run_stage 4 "adaptation to a new voice"; then
  decode_and_score base new_en en new_before
  speechtl train conf/adapted.toml exp/adapted
  decode_and_score adapted new_en en new_after
fi

if run_stage 5 "results"; then
  python local/results.py exp
fi

#!/usr/bin/env bash
# The base models: from corpora under permissive licences to two directories of weights that anybody may pass on.
#
#   recipes/base/train.sh --corpora DIR [--base-encoder hf:openai/whisper-base] [--tiny-encoder hf:openai/whisper-tiny.en]
#                         [--stage N] [--stop-stage M] [--nj N]
#
# --corpora DIR holds the folders an4, speechocean762, persian (and persian_dictionaries), twi, dspspeech20, gcin_voice,
# arabic_commands, kerstin_de, festvox_ru; recipes/corpora/README.md says how to get each. Encoders are names or folders.
#
# Stages: 0 data directories, 1 lexicons and features, 2 encoders, 3 base-whisper, 4 base; only if it is asked for, 5: a larger one
# with all corpora of run.sh, whose weights are not to be passed on. Everything is written below data/ and exp/ of this folder;
# training resumes.
set -euo pipefail

stage=0
stop_stage=4
nj=$(nproc)
corpora=
# shellcheck disable=SC2034 # by name, in stage 2
base_encoder=hf:openai/whisper-base
# shellcheck disable=SC2034
tiny_encoder=hf:openai/whisper-tiny.en

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh
source ../shared/make_lexicon.sh

names="an4 speechocean762 persian twi dspspeech20 gcin_voice arabic_commands kerstin_de festvox_ru"

if run_stage 0 "data directories from the corpora"; then
  for name in $names; do
    if [ -z "$corpora" ] || [ ! -d "$corpora/$name" ]; then
      echo "error: ${corpora:-no --corpora DIR}/$name is not there; recipes/corpora/README.md says how to get it" >&2
      exit 1
    fi
    options=(--tables "utt2lang,utt2dom")
    case $name in
      dspspeech20) options+=(--languages zh) ;;
      persian) options+=(--dictionaries "$corpora/persian_dictionaries") ;;
    esac
    python "../corpora/$name.py" --corpus "$corpora/$name" --out "data/$name" "${options[@]}"
  done
fi

if run_stage 1 "lexicons, validation, features"; then
  for name in $names; do
    make_lexicon "$name" "data/$name"
  done
  LC_ALL=C sort -u data/an4/lexicon.txt data/speechocean762/lexicon.txt >data/english.txt
  LC_ALL=C sort -u data/dspspeech20/lexicon.txt data/gcin_voice/lexicon.txt >data/mandarin.txt
  for name in $names; do
    for part in train dev test; do
      speechtl data validate "data/$name/$part"
    done
    speechtl features "data/$name/"{train,dev,test} --config conf/features.toml --nj "$nj"
  done
fi

if run_stage 2 "encoders"; then
  for size in base tiny; do
    encoder=${size}_encoder
    [ -e exp/whisper-$size/weights.h5 ] || speechtl import "${!encoder}" exp/whisper-$size
  done
fi

if run_stage 3 "base-whisper"; then
  speechtl train conf/base-whisper.toml exp/base-whisper
fi

if run_stage 4 "base"; then
  speechtl train conf/base.toml exp/base
fi

if run_stage 5 "a larger model for own use"; then
  speechtl train conf/large.toml exp/large
fi

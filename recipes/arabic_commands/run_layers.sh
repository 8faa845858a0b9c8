#!/usr/bin/env bash
# Arabic Speech Commands, which layers are worth taking from another model: some first and last blocks, frozen
# and trained on, from speakers to other speakers and from another language.
#
#   recipes/arabic_commands/run_layers.sh --corpus DIR [--language-source EXP] [--stage N] [--stop-stage M] [--nj N]
#                                     [--seeds "1 2 3"]
#
# EXP: a model of another language with the features and the encoder of conf/layers.toml, for example the
# exp/layers_source that the recipe of AN4 makes. Without it, that part is left out.
# Stages: 0 prepare, 1 features, speakers divided, 2 the source model, 3 from speakers to speakers, 4 from another
# language, 5 tables and pictures.
set -euo pipefail

stage=0
stop_stage=5
corpus=
language_source=
nj=$(nproc)
seeds="1"

while [ $# -gt 0 ]; do
  [ $# -gt 1 ] || set -- --usage ""
  case $1 in
    --stage) stage=$2 ;;
    --stop-stage) stop_stage=$2 ;;
    --corpus) corpus=$(realpath -m "$2") ;;
    --language-source) language_source=$(realpath -m "$2") ;;
    --nj) nj=$2 ;;
    --seeds) seeds=$2 ;;
    *) sed -n '2,11p' "$0" >&2; exit 1 ;;
  esac
  shift 2
done

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR
source ../env.sh
# shellcheck source-path=SCRIPTDIR
source ../stages.sh

sweep() { # sweep FOLDER SOURCE TRAIN DEV: a model for each choice of blocks, all that FOLDER does not have yet
  local seed blocks trainable options
  for seed in $seeds; do
    for blocks in none first:1 first:3 all last:3 last:1; do
      for trainable in false true; do
        options=(--set "seed=$seed" --set "data.0.train=$3" --set "data.0.dev=$4" --set training.epochs=8)
        if [ $blocks = none ]; then
          [ $trainable = true ] || continue
        else
          options+=(--set "transfer=[{method='layer_transfer',source='$2',blocks='$blocks',trainable=$trainable}]")
        fi
        speechtl train conf/layers.toml "$1/$blocks.$trainable.$seed" "${options[@]}"
      done
    done
  done
}

if run_stage 0 "data directories from the corpus"; then
  if [ -z "$corpus" ]; then
    echo "error: give the corpus with --corpus DIR: a clone of the git repository" \
      "abdulkaderghandoura/arabic-speech-commands-dataset from GitHub" >&2
    exit 1
  fi
  python local/prepare.py --corpus "$corpus" --words conf/words.tsv --out data --folds 4 --seed 1
fi

if run_stage 1 "features; every third training speaker is one that little is known of"; then
  speechtl features data/train data/dev data/test --config conf/layers.toml --nj "$nj"
  mkdir -p data/layers
  awk 'NR % 3 { print $1 }' data/train/spk2utt >data/layers/source.speakers
  awk 'NR % 3 == 0 { print $1 }' data/train/spk2utt >data/layers/target.speakers
  for part in source target; do
    speechtl data subset data/train data/layers/$part --speaker-list data/layers/$part.speakers --overwrite
  done
  speechtl data combine data/layers/all data/dev data/test --overwrite
  speechtl data subset data/layers/all data/layers/test --utterances-per-speaker 30 --seed 1 --overwrite
fi

if run_stage 2 "the source model, of the other speakers"; then
  speechtl train conf/layers.toml exp/layers/source --set data.0.train=data/layers/source
fi

if run_stage 3 "from speakers to speakers"; then
  sweep exp/layers/speakers exp/layers/source data/layers/target data/layers/test
fi

if run_stage 4 "from another language"; then
  if [ -z "$language_source" ]; then
    echo "left out: give a model of another language with --language-source EXP"
  else
    sweep exp/layers/language "$language_source" data/layers/target data/layers/test
  fi
fi

if run_stage 5 "tables and pictures"; then
  for kind in speakers language; do
    if [ -d exp/layers/$kind ]; then
      python local/layers_table.py exp/layers/$kind >exp/layers/$kind.tsv
      case $kind in
        speakers) title="Arabic commands, 8 speakers to 4 others" ;;
        language) title="Another language to Arabic commands of 4 speakers" ;;
      esac
      speechtl chart exp/layers/$kind.tsv exp/layers/$kind.svg --title "$title" --x "blocks taken over, of 5" \
        --y "phone errors of other speakers, %"
    fi
  done
fi

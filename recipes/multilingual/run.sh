#!/usr/bin/env bash
# Five corpora, six languages: what one language can do for another. README.md says what the corpora are.
#
#   recipes/multilingual/run.sh --corpora DIR [--stage N] [--stop-stage M] [--nj N]
#
# --corpora DIR holds the folders an4, dspspeech20, arabic_commands, kerstin_de, festvox_ru; or each is named: --an4 DIR
# --dspspeech DIR --arabic DIR --kerstin DIR --festvox DIR. What is missing is left out, with a message.
#
# Stages: 0 data directories, 1 lexicons, features; then one script for each method, which also runs alone (--nj N):
# 2 multitask.sh, multitask_five.sh and sharing.sh, 3 adversarial.sh, 4 chain.sh, 5 progressive.sh, 6 self_taught.sh,
# 7 attributes.sh. Everything is written below data/ and exp/ of this folder; training resumes.
set -euo pipefail

stage=0
stop_stage=7
nj=$(nproc)
corpora=
an4=
dspspeech=
arabic=
kerstin=
festvox=

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh
source ../shared/make_lexicon.sh

declare -A corpus=([an4]=$an4 [dspspeech]=$dspspeech [arabic]=$arabic [kerstin]=$kerstin [festvox]=$festvox)
declare -A folder=([an4]=an4 [dspspeech]=dspspeech20 [arabic]=arabic_commands [kerstin]=kerstin_de [festvox]=festvox_ru)

prepare() { # prepare NAME OUT OPTIONS...: the data directories of one corpus
  python "../corpora/${folder[$1]}.py" --corpus "$place" --out "$2" --tables utt2lang,utt2dom "${@:3}"
}

if run_stage 0 "data directories from the corpora"; then
  found=0
  for name in an4 dspspeech arabic kerstin festvox; do
    place=${corpus[$name]:-${corpora:+$corpora/${folder[$name]}}}
    if [ -z "$place" ] || [ ! -d "$place" ]; then
      echo "left out: $name (${place:-no --$name DIR} is not there); README.md says how to get it" >&2
      continue
    fi
    found=1
    case $name in
      dspspeech)
        prepare dspspeech data/dspspeech
        prepare dspspeech data/dspspeech_en --languages en-dsp
        prepare dspspeech data/dspspeech_zh --languages zh
        ;;
      *) prepare "$name" "data/$name" ;;
    esac
  done
  if [ $found = 0 ]; then
    echo "error: none of the corpora is there; give them with --corpora DIR" >&2
    exit 1
  fi
fi

if run_stage 1 "lexicons, validation, features"; then
  for name in an4 dspspeech dspspeech_en dspspeech_zh arabic kerstin festvox; do
    [ -d "data/$name" ] || continue
    make_lexicon "${folder[${name%_*}]}" "data/$name"
    for part in train dev test; do
      speechtl data validate "data/$name/$part"
    done
    speechtl features "data/$name/"{train,dev,test} --config conf/features.toml --nj "$nj"
    # Ten minutes of training speech, evenly over the speakers (of the English words there is less: all of it).
    seconds=$(awk 'END { printf "%.1f", 600 / NR }' "data/$name/train/spk2utt")
    for seed in 1 2 3; do
      speechtl data subset "data/$name/train" "data/$name/train_10min_$seed" --seconds-per-speaker "$seconds" \
        --seed $seed --overwrite
    done
  done
fi

number=2
for methods in "multitask multitask_five sharing" adversarial chain progressive self_taught attributes; do
  if run_stage $number "${methods%% *}"; then
    for method in $methods; do
      ./"$method".sh --nj "$nj"
    done
  fi
  number=$((number + 1))
done

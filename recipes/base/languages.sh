#!/usr/bin/env bash
# A new language with 1, 10 and 60 minutes of it: from random initialisation, and after a base model.
#
#   recipes/base/languages.sh [--model DIR] [--systems "scratch encoder after"] [--languages "nan cs nl"]
#                             [--minutes "1 10 60"] [--seeds "1"] [--nj N]
#
# --systems: scratch, a small network on filter banks (it does not depend on the model); encoder, new blocks and a new head on the base
# model's encoder; after, the base model goes on learning, its attributes score the language's phones; after_conservative,
# after_multitask, after_adversarial, after_progressive, the same with a further term or table, conf/NAME.toml.
# Greedy phone error rates without lexicon or language model on the test part; of Taiwanese (nan) also the error rate of
# syllables without tones, with a trigram of the syllables of all training transcripts.
# Dev chooses nothing but the decoding of the syllables: its phones are more than a minute of training has.
# Results: exp/evaluation/MODEL/languages.md and .svg.
set -euo pipefail

systems="scratch encoder after"
languages="nan cs nl"
minutes="1 10 60"
source "$(dirname "${BASH_SOURCE[0]}")/local/evaluated.sh"

all_systems=(scratch encoder after after_conservative after_multitask after_adversarial after_progressive)
declare -A place_of=([nan]=taiwanese [cs]=fillets/cs [nl]=fillets/nl)
# About as many updates with little speech as pay off, and fewer passes over more.
declare -A passes=([1]=100 [10]=30 [60]=10)
# CTC from random weights needs some hundred updates before it leaves the blanks, and a minute is one long batch.
declare -A batch=([1]=800 [10]=3200 [60]=3200)

experiment() { # experiment SYSTEM LANGUAGE MINUTES SEED: its directory; scratch is the same for all base models
  local folder=exp/evaluation/scratch
  [ "$1" = scratch ] || folder=$results/$1
  echo "$folder/$2_${3}min_$4"
}

configure() { # configure SYSTEM OUT: the config of a system, with the tables of the base model that it goes on from
  if [ "$1" = scratch ]; then
    cp conf/scratch.toml "$2"
    return
  fi
  {
    awk '/^\[/ { wanted = /^\[(features|normalisation|model)[].]/ } wanted' "$model/config.toml"
    echo
    case $1 in
      after_*) cat conf/after.toml <(echo) "conf/$1.toml" ;;
      *) cat "conf/$1.toml" ;;
    esac
  } >"$2"
}

learn() { # learn SYSTEM LANGUAGE MINUTES SEED
  local data=data/${place_of[$2]} exp kind=known epochs=${passes[$3]} settings=() blocks
  exp=$(experiment "$@")
  mkdir -p "$(dirname "$exp")"
  configure "$1" "$exp.toml"
  case $1 in
    scratch)
      kind=fbank
      epochs=$((2 * epochs))
      ;;
    encoder)
      settings=(--set transfer.0.source="$model" --set batches.frames="${batch[$3]}")
      ;;
    after*)
      settings=(--set transfer.0.source="$model" --set transfer.1.source="$model" --set batches.frames="${batch[$3]}")
      # The last two blocks of the encoder learn, too; masks come before them.
      blocks=$(awk '/^\[/ { inside = /^\[model\.encoder\]/ } inside && /^blocks = / { print $3 }' "$model/config.toml")
      settings+=(--set transfer.1.blocks="first:$((blocks - 1))" --set augmentation.after="transformer$((blocks - 2))")
      settings+=(--set 'training.rates={"encoder/transformer*" = 0.1, "encoder/norm/*" = 0.1}')
      case $1 in
        after_conservative) settings+=(--set transfer.2.source="$model") ;;
        after_progressive)
          settings+=(--set transfer.2.columns="$model")
          # Outputs of the column beside come in everywhere, so nothing is computed once, and masks come at the beginning.
          settings+=(--set augmentation.after=input --set augmentation.frequency_width=16 --set training.cache_frozen=auto)
          ;;
        after_multitask | after_adversarial)
          [ -e data/an4/train/feats.scp ] || speechtl features data/an4/train --config conf/features.toml --nj "$nj"
          ;;
      esac
      ;;
  esac
  # Without quotes nan is a number.
  speechtl train "$exp.toml" "$exp" --set seed="$4" --set data.0.language="\"$2\"" --set data.0.lexicon="$data/lexicon.txt" \
    --set data.0.train="$data/${kind}_${3}min_$4" --set training.epochs="$epochs" ${settings[@]+"${settings[@]}"}
}

decode() { # decode SYSTEM LANGUAGE MINUTES SEED: phones of test, and the syllables of Taiwanese
  local data=data/${place_of[$2]} exp kind=known part parts=(test)
  exp=$(experiment "$@")
  [ "$1" != scratch ] || kind=fbank
  [ "$2" != nan ] || parts=(dev test)
  for part in "${parts[@]}"; do
    [ ! -e "$exp/$part/per/wer" ] || continue
    speechtl decode "$exp" "$data/${part}_$kind" "$exp/$part" --language "$2" --save-posteriors "$exp/$part/posteriors"
    speechtl score "$data/${part}_known" "$exp/$part/phones" --unit phone --lexicon "$data/lexicon.txt" --out "$exp/$part/per" \
      >/dev/null
    head -1 "$exp/$part/per/wer"
  done
  if [ "$2" = nan ] && [ ! -e "$exp/test/ser/wer" ]; then
    speechtl decode "$exp" "$data/dev_$kind" "$exp/dev/syllables" --language "$2" --lexicon "$data/lexicon.txt" --lm "$data/trigram.arpa" \
      --nj "$nj" --no-times --posteriors "$exp"/dev/posteriors/posteriors.scp --tune "$data/dev_$kind" --grid lm_weight=0.3,0.6,1 \
      --grid word_insertion_penalty=-1,1,3 --grid blank_penalty=0,2
    speechtl decode "$exp" "$data/test_$kind" "$exp/test/syllables" --language "$2" --lexicon "$data/lexicon.txt" --lm "$data/trigram.arpa" \
      --nj "$nj" --no-times --posteriors "$exp"/test/posteriors/posteriors.scp --config "$exp/dev/syllables/tuned.toml"
    speechtl score "$data/test_known" "$exp/test/syllables/text" --out "$exp/test/ser" >/dev/null
    head -1 "$exp/test/ser/wer"
  fi
}

if [ "$systems" != scratch ]; then
  have_model || exit 0
fi
[ ! -e data/taiwanese/train_known/text ] ||
  speechtl lm data/taiwanese/train_known/text -o data/taiwanese/trigram.arpa --order 3 --vocabulary data/taiwanese/lexicon.txt
mkdir -p "$results"
for language in $languages; do
  place=${place_of[$language]}
  if [ ! -e "data/$place/test_known/feats.scp" ]; then
    echo "left out: data/$place has no features (run.sh, stages 0 and 1)" >&2
    continue
  fi
  for seed in $seeds; do
    for length in $minutes; do
      for system in $systems; do
        learn "$system" "$language" "$length" "$seed"
        decode "$system" "$language" "$length" "$seed"
      done
    done
  done
done

{
  for language in nan cs nl; do
    for length in 1 10 60; do
      rows=()
      for system in "${all_systems[@]}"; do
        rows+=("$system=$(experiment "$system" "$language" "$length" '{seed}')")
      done
      echo
      echo "$language, $length min"
      python ../shared/rates_table.py "${rows[@]}" --parts test
    done
  done
  for path in exp/evaluation/scratch/nan_*/test/ser/wer "$results"/{encoder,after*}/nan_*/test/ser/wer; do
    [ ! -e "$path" ] || echo "syllables, $(cut -d/ -f3- <<<"${path%/test/ser/wer}"): $(head -1 "$path")"
  done
} | tee "$results/languages.md"
for language in nan cs nl; do
  for system in "${all_systems[@]}"; do
    for length in 1 10 60; do
      for path in "$(experiment "$system" "$language" "$length" '')"*/test/per/wer; do
        [ ! -e "$path" ] || printf '%s\t%s\t%s\n' "$language, $system" $length "$(cut -d' ' -f2 "$path" | head -1)"
      done
    done
  done
done >"$results/languages.tsv"
[ ! -s "$results/languages.tsv" ] ||
  speechtl chart "$results/languages.tsv" "$results/languages.svg" --title "A new language" --x "minutes of transcribed speech" \
    --y "phone error rate, %" --log-x

#!/usr/bin/env bash
# Ten minutes of a language, and one minute: its phones, from the frozen encoder under a small head; that at three speeds
# (ten minutes only); from the model of three other languages; and two languages jointly with English.
#
#   recipes/foundation/languages.sh [--languages "de ru ar zh"] [--minutes "10 1"]
#                                   [--systems "head perturbed after_source multitask"] [--seeds "1 2 3"] [--nj N]
#
# Where run.sh has found sentences of the language (data/text/LANGUAGE), dev and test are also decoded with a language model of
# phones, from those sentences and the transcripts of training. Its share of the two, its weight and the penalties are chosen on dev.
set -euo pipefail

languages="de ru ar zh"
minutes="10 1"
systems="head perturbed after_source multitask"
source "$(dirname "${BASH_SOURCE[0]}")/local/systems.sh"

phone_model() { # phone_model LANGUAGE TRAIN: the language model of phones, into data/text/LANGUAGE; fails if there are no sentences
  local text=data/text/$1 data=data/${corpus_of[$1]} as_phones
  [ -e "$text/text" ] || return 1
  if [ ! -e "$text/${2##*/}.arpa" ]; then
    # The phones are the words of the search.
    cut -d' ' -f2- "$data/lexicon.txt" | tr ' ' '\n' | LC_ALL=C sort -u | awk '{ print $1, $1 }' >"$text/phones.txt"
    [ -e "$text/lexiconp.txt" ] ||
      speechtl lexicon g2p --rules "$1" -n 1 --words "$text/words.txt" --out "$text/lexiconp.txt"
    as_phones=(python local/phone_text.py --phones "$data/lexicon.txt")
    "${as_phones[@]}" --text "$text/text" --lexicon "$text/lexiconp.txt" --out "$text/phones"
    "${as_phones[@]}" --text "$2/text" --lexicon "$data/lexicon.txt" --out "$text/${2##*/}"
    cp -r "$data/dev" "$text/dev"
    "${as_phones[@]}" --text "$data/dev/text" --lexicon "$data/lexicon.txt" --out "$text/dev/text"
    speechtl lm "$text/phones" -o "$text/sentences.arpa" --order 6
    speechtl lm "$text/${2##*/}" -o "$text/${2##*/}.arpa" --order 6 --mix "$text/sentences.arpa" --dev "$text/dev/text"
  fi
}

measure_with_text() { # measure_with_text EXP LANGUAGE TRAIN: phone errors of dev and test with a language model of phones
  local data=data/${corpus_of[$2]} text=data/text/$2 part out
  local search=(--language "$2" --lexicon "$text/phones.txt" --lm "$text/${3##*/}.arpa" --no-times --nj "$nj")
  for part in dev test; do
    out=$1/$2_text/$part
    [ ! -e "$out/per/wer" ] || continue
    if [ $part = dev ]; then
      speechtl decode "$1" "$text/dev" "$out" "${search[@]}" --tune "$text/dev" --grid lm_weight=0.5,0.7,1,1.4 \
        --grid word_insertion_penalty=-3,-2,-1,0 --grid blank_penalty=0,1,2
    else
      speechtl decode "$1" "$data/test" "$out" "${search[@]}" --config "$1/$2_text/dev/tuned.toml"
    fi
    speechtl score "$data/$part" "$out/text" --unit phone --lexicon "$data/lexicon.txt" --out "$out/per" >/dev/null
    head -1 "$out/per/wer"
  done
}

for language in $languages; do
  data=data/${corpus_of[$language]}
  have "${corpus_of[$language]}" || continue
  for seed in $seeds; do
    for length in $minutes; do
      for conf in $systems; do
        [ "$conf" != multitask ] || continue
        train=$data/train_${length}min_$seed
        if [ "$conf" = perturbed ]; then
          [ "$length" = 10 ] || continue
          if [ ! -e "${train}_speeds/feats.scp" ]; then
            speechtl data perturb-speed "$train" "${train}_speeds"
            speechtl features "${train}_speeds" --config conf/features.toml --nj "$nj"
          fi
          train=${train}_speeds
        fi
        exp=exp/${conf}_${language}_${length}min_$seed
        [ "$conf" != after_source ] || [ -e exp/source/weights.h5 ] || continue
        epochs=20 frames=3200
        # As many updates for three times the speech, nearly.
        [ "$conf" != perturbed ] || epochs=12
        # With a tenth of the speech twice as many updates: CTC leaves the blanks after some hundred.
        [ "$length" = 10 ] || epochs=$((5 * epochs)) frames=800
        train "conf/$conf.toml" "$exp" seed="$seed" data.0.language="$language" \
          data.0.train="$train" data.0.dev="$data/dev" data.0.lexicon="$data/lexicon.txt" \
          training.epochs=$epochs batches.frames=$frames
        for part in dev test; do
          measure "$exp" "$language" $part
        done
        if phone_model "$language" "$data/train_${length}min_$seed"; then
          measure_with_text "$exp" "$language" "$data/train_${length}min_$seed"
        fi
      done
    done
  done
done

if [[ " $systems " == *" multitask "* ]] && have an4 kerstin_de festvox_ru; then
  for seed in $seeds; do
    exp=exp/multitask_$seed
    train conf/multitask.toml "$exp" seed="$seed" data.0.train=data/kerstin_de/train_10min_"$seed" \
      data.1.train=data/festvox_ru/train_10min_"$seed"
    for language in de ru; do
      for part in dev test; do
        measure "$exp" $language $part
      done
    done
  done
fi

for language in de ru ar zh; do
  echo "$language"
  rows=()
  for minutes in 10 1; do
    rows+=("$minutes min, the encoder alone=exp/head_${language}_${minutes}min_{seed}/$language")
    for conf in head perturbed after_source; do
      rows+=("$minutes min, $conf, with text=exp/${conf}_${language}_${minutes}min_{seed}/${language}_text")
    done
    rows+=("$minutes min, three speeds=exp/perturbed_${language}_${minutes}min_{seed}/$language")
    rows+=("$minutes min, after others=exp/after_source_${language}_${minutes}min_{seed}/$language")
  done
  [ $language != de ] && [ $language != ru ] || rows+=("10 min, with others=exp/multitask_{seed}/$language")
  python ../shared/rates_table.py "${rows[@]}"
done

#!/usr/bin/env bash
# The base models, and what they bring to languages, words and speakers that they have not heard. README.md has the results.
#
#   recipes/base/run.sh --corpora DIR [--models "exp/base exp/base-whisper"] [--stage N] [--stop-stage M] [--nj N]
#
# --corpora DIR holds the folders an4, speechocean762, taiwanese, gcompris and debian (into which the packages
# fillets-ng-data, fillets-ng-data-cs, fillets-ng-data-nl, tuxpaint-stamps-default, klettres-data and gcompris-qt-data are
# unpacked), and those of train.sh; recipes/corpora/README.md says how to get each. What is missing is left out, with a message.
#
# Stages: 0 data directories of the evaluations, 1 their lexicons and features, 2 training (train.sh); then one script for each
# question, which also runs alone: 3 unseen_languages.sh, 4 digits.sh, 5 languages.sh, 6 keywords.sh, 7 speakers.sh.
# Everything is written below data/ and exp/ of this folder.
set -euo pipefail

stage=0
stop_stage=7
nj=$(nproc)
corpora=
models="exp/base exp/base-whisper"

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh
source ../shared/make_lexicon.sh

prepare() { # prepare NAME FOLDER OPTIONS...: data/NAME from the corpus in a folder of --corpora
  if [ -z "$corpora" ] || [ ! -d "$corpora/$2" ]; then
    echo "left out: $1 (${corpora:-no --corpora DIR}/$2 is not there); recipes/corpora/README.md says how to get it" >&2
    return
  fi
  prepared=1
  python "../corpora/$1.py" --corpus "$corpora/$2" --out "data/$1" --tables utt2lang,utt2dom "${@:3}"
}

pronounce() { # pronounce LANGUAGE WORDS LEXICON WAY: by spelling rules or by epitran
  if [ "$4" = rules ]; then
    mkdir -p "$3.guessed"
    rm -f "$3.guessed/lexiconp.txt"
    # Words in the letters of another language have no guess, which is an error; known_words.py leaves their utterances out.
    speechtl lexicon g2p --rules "$1" -n 1 --words "$2" --out "$3.guessed/lexiconp.txt" || [ -s "$3.guessed/lexiconp.txt" ]
    cut -d' ' -f1,3- "$3.guessed/lexiconp.txt" >"$3"
  else
    python ../corpora/epitran_lexicon.py --language "$1" --words "$2" --out "$3"
  fi
}

pronounced() { # pronounced DATA LEXICON OUT: the utterances whose words all have a pronunciation
  python ../corpora/known_words.py --data "$1" --lexicon "$2" --out "$3.known"
  speechtl data subset "$1" "$3" --utterance-list "$3.known/kept.txt" --overwrite
}

rows() { # rows FILE: the rows of a table of local/
  grep -v '^#' "$1"
}

if run_stage 0 "data directories from the corpora"; then
  prepared=
  texts=$corpora/debian/usr/share/gcompris-qt/rcc/lang.rcc
  prepare an4 an4
  prepare speechocean762 speechocean762
  prepare taiwanese taiwanese
  prepare fillets debian
  prepare tuxpaint debian
  prepare klettres debian
  if [ -e "$texts" ]; then
    prepare gcompris gcompris --texts "$texts"
  else
    echo "left out: gcompris ($texts is not there); recipes/corpora/README.md says how to get it" >&2
  fi
  if [ -z "$prepared" ]; then
    echo "error: none of the corpora is there; give them with --corpora DIR" >&2
    exit 1
  fi
fi

if run_stage 1 "lexicons, test sets, features"; then
  for name in an4 speechocean762; do
    [ -d data/$name ] || continue
    make_lexicon "$name" "data/$name"
  done

  # Languages to learn: 1, 10 and 60 minutes of training speech, the shorter within the longer, by three seeds.
  for place in fillets/cs fillets/nl taiwanese; do
    data=data/$place language=${place#fillets/}
    [ -d "$data" ] || continue
    [ $place = taiwanese ] || pronounce "$language" "$data/words.txt" "$data/lexicon.txt" rules
    for part in train dev test; do
      pronounced "$data/$part" "$data/lexicon.txt" "$data/${part}_known"
    done
    speechtl features "$data/"{train,dev,test}_known --config conf/features.toml --nj "$nj"
    # The systems from random initialisation have features of their own.
    for part in train dev test; do
      speechtl data combine "$data/${part}_fbank" "$data/${part}_known" --overwrite
    done
    speechtl features "$data/"{train,dev,test}_fbank --config conf/scratch.toml --nj "$nj" --overwrite
    for seed in 1 2 3; do
      python local/draw_minutes.py "$data/train_known" --minutes 1 10 60 --seed $seed --out "$data/minutes_$seed"
      for minutes in 1 10 60; do
        for kind in known fbank; do
          speechtl data subset "$data/train_$kind" "$data/${kind}_${minutes}min_$seed" \
            --utterance-list "$data/minutes_$seed/${minutes}min.txt" --overwrite
        done
      done
    done
  done

  # Test sets of languages that no model was trained on, and dev sets of others: at most 150 utterances a language.
  while IFS=$'\t' read -r language _ _ sources way; do
    out=data/unseen/$language parts=()
    for source in $sources; do
      case $source in
        # Their training parts are for languages.sh.
        fillets) [ ! -d "data/fillets/$language" ] || parts+=("data/fillets/$language/test_known") ;;
        taiwanese) [ ! -d data/taiwanese ] || parts+=(data/taiwanese/test_known) ;;
        *) for part in train dev test; do
          [ ! -d "data/$source/$language/$part" ] || parts+=("data/$source/$language/$part")
        done ;;
      esac
    done
    if [ ${#parts[@]} = 0 ]; then
      echo "left out: $language of the unseen languages (no data of $sources)" >&2
      continue
    fi
    mkdir -p data/unseen
    speechtl data combine "$out.all" "${parts[@]}" --overwrite
    if [ "$way" = corpus ]; then
      cp data/taiwanese/lexicon.txt "$out.txt"
    else
      cut -d' ' -f2- "$out.all/text" | tr ' ' '\n' | LC_ALL=C sort -u >"$out.words"
      pronounce "$language" "$out.words" "$out.txt" "$way"
    fi
    pronounced "$out.all" "$out.txt" "$out.pronounced"
    number=$(wc -l <"$out.pronounced/text")
    speechtl data subset "$out.pronounced" "$out" --utterances $((number < 150 ? number : 150)) --seed 1 --overwrite
    speechtl data validate "$out"
  done < <(rows local/unseen_languages.tsv)

  # The numbers of GCompris, one to ten, of languages that no model was trained on.
  if [ -d data/gcompris ]; then
    while IFS=$'\t' read -r language _ _ way; do
      out=data/numbers/$language parts=()
      mkdir -p data/numbers
      for part in train dev test; do
        [ ! -d "data/gcompris/$language/$part" ] || parts+=("data/gcompris/$language/$part")
      done
      speechtl data combine "$out.all" "${parts[@]}" --overwrite
      awk '$1 ~ /-alphabet-(U003[1-9]|10)$/ { print $1 }' "$out.all/text" >"$out.list"
      speechtl data subset "$out.all" "$out" --utterance-list "$out.list" --overwrite
      cut -d' ' -f2 "$out/text" | LC_ALL=C sort -u >"$out.words"
      case $way in
        lexicons) awk 'NR == FNR { said[$1]; next } $1 in said' "$out.words" "../../lexicons/$language/lexicon.txt" >"$out.txt" ;;
        here) rows local/numbers.tsv | awk -F'\t' -v language="$language" '$1 == language { print $2, $3 }' >"$out.txt" ;;
        *) pronounce "$language" "$out.words" "$out.txt" "$way" ;;
      esac
      python ../corpora/known_words.py --data "$out" --lexicon "$out.txt" --out "$out.known"
    done < <(rows local/number_languages.tsv)
    speechtl data combine data/numbers/dev data/numbers/{hu,pt} --overwrite
  fi

  places=()
  for place in data/unseen/?? data/unseen/??? data/numbers/?? data/numbers/dev; do
    [ ! -d "$place" ] || places+=("$place")
  done
  # More processes would take longer to start than these take.
  [ ${#places[@]} = 0 ] || speechtl features "${places[@]}" --config conf/features.toml
  [ ! -d data/speechocean762 ] || speechtl features data/speechocean762/{dev,test} --config conf/features.toml --nj "$nj"
  # The test speakers of speechocean762, adults and children apart, with the features of them all.
  for ages in adults children; do
    [ -d data/speechocean762 ] || continue
    cut -d' ' -f1 data/speechocean762/test_$ages/text >data/speechocean762/$ages.list
    speechtl data subset data/speechocean762/test data/speechocean762/test_$ages --utterance-list data/speechocean762/$ages.list \
      --overwrite
  done
fi

if run_stage 2 "training"; then
  ./train.sh --corpora "$corpora" --nj "$nj"
fi

number=3
for question in unseen_languages digits languages keywords speakers; do
  if run_stage $number "$question"; then
    for model in $models; do
      ./$question.sh --model "$model" --nj "$nj"
    done
  fi
  number=$((number + 1))
done

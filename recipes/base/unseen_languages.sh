#!/usr/bin/env bash
# Phones of languages that no base model was trained on: error rates of phones (PER) and of their features (PFER), greedily,
# without lexicon or language model.
#
#   recipes/base/unseen_languages.sh [--model DIR] [--inventory all|own] [--nj N]
#
# --inventory all: any phone of the languages of training (the default). own: the phones of the language's lexicon, that is,
# it is known which language is spoken. The blank penalty is chosen on languages that are not among those of the test
# (local/unseen_languages.tsv says which). Results: exp/evaluation/MODEL/unseen_INVENTORY.md.
set -euo pipefail

inventory=all
source "$(dirname "${BASH_SOURCE[0]}")/local/evaluated.sh"

case $inventory in
  all | own) ;;
  *)
    echo "error: --inventory $inventory: give all or own" >&2
    exit 1
    ;;
esac
mapfile -t dev < <(languages_of unseen_languages dev unseen)
mapfile -t test < <(languages_of unseen_languages test unseen)
have "${dev[@]/#/unseen/}" "${test[@]/#/unseen/}" || exit 0
if [ ${#dev[@]} = 0 ] || [ ${#test[@]} = 0 ]; then
  echo "left out: no languages in data/unseen (run.sh, stages 0 and 1)" >&2
  exit 0
fi
out=$results/unseen_$inventory

posteriors() { # posteriors PART LANGUAGE...: run the model once over all of them
  local part=$1 language phones
  shift
  if [ $inventory = all ]; then
    speechtl data combine "$out/$part/data" "${@/#/data/unseen/}" --overwrite
    speechtl decode "$model" "$out/$part/data" "$out/$part/all" --inventory all --save-posteriors "$out/$part/all"
    return
  fi
  for language in "$@"; do
    phones=$out/$part/$language.phones
    mkdir -p "$out/$part"
    cut -d' ' -f2- "data/unseen/$language.txt" | tr ' ' '\n' | LC_ALL=C sort -u >"$phones"
    speechtl decode "$model" "data/unseen/$language" "$out/$part/$language" --inventory "$phones" \
      --save-posteriors "$out/$part/$language"
  done
}

score() { # score PART PENALTY LANGUAGE...: phone errors of each with a blank penalty, into OUT/PART/PENALTY/LANGUAGE/wer
  local part=$1 penalty=$2 language place scored
  shift 2
  for language in "$@"; do
    place=$out/$part/$language phones=$out/$part/$language.phones scored=$out/$part/$penalty/$language
    [ $inventory = own ] || place=$out/$part/all phones=all
    speechtl decode "$model" "data/unseen/$language" "$scored" --inventory "$phones" --posteriors "$place/posteriors.scp" \
      --set decoding.blank_penalty="$penalty"
    speechtl score "data/unseen/$language" "$scored/phones" --unit phone --lexicon "data/unseen/$language.txt" --out "$scored" \
      >"$scored/score.txt"
  done
}

penalties="-1 0 1 2 3 4 5"
if [ ! -e "$out/penalty" ]; then
  posteriors dev "${dev[@]}"
  for penalty in $penalties; do
    score dev "$penalty" "${dev[@]}"
  done
  python local/language_table.py local/unseen_languages.tsv "$out/dev" --best | tee "$out/dev.txt"
  tail -1 "$out/dev.txt" >"$out/penalty"
fi
penalty=$(cat "$out/penalty")
posteriors test "${test[@]}"
score test "$penalty" "${test[@]}"
{
  echo "$name, inventory $inventory, blank penalty $penalty (chosen on ${dev[*]})"
  echo
  python local/language_table.py local/unseen_languages.tsv "$out/test/$penalty"
} | tee "$out.md"

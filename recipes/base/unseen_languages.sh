#!/usr/bin/env bash
# Phones of languages that no base model was trained on: error rates of phones (PER) and of their features (PFER), greedily,
# without lexicon or language model.
#
#   recipes/base/unseen_languages.sh [--model DIR] [--inventory all|own] [--decision pooled|best_path] [--nj N]
#
# --inventory all: any phone of the languages of training (the default). own: the phones of the language's lexicon, that is,
# it is known which language is spoken. The blank penalty is chosen on languages that are not among those of the test
# (local/unseen_languages.tsv says which); with 0, as models are by default, the test is decoded, too.
# Results: exp/evaluation/MODEL/unseen_INVENTORY/DECISION.md.
set -euo pipefail

inventory=all
decision=pooled
source "$(dirname "${BASH_SOURCE[0]}")/local/evaluated.sh"

case $inventory in
  all | own) ;;
  *)
    echo "error: --inventory $inventory: give all or own" >&2
    exit 1
    ;;
esac
case $decision in
  pooled | best_path) ;;
  *)
    echo "error: --decision $decision: give pooled or best_path" >&2
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

run_model() { # run_model PART LANGUAGE...: posteriors of them all, in one go if the phones are the same
  local part=$1 language
  shift
  if [ $inventory = all ]; then
    ! is_new "$out/$part/all/phones" || return 0
    speechtl data combine "$out/$part/data" "${@/#/data/unseen/}" --overwrite
    speechtl decode "$reader" "$out/$part/data" "$out/$part/all" --inventory all --save-posteriors "$out/$part/all"
    return
  fi
  mkdir -p "$out/$part"
  for language in "$@"; do
    ! is_new "$out/$part/$language/phones" || continue
    cut -d' ' -f2- "data/unseen/$language.txt" | tr ' ' '\n' | LC_ALL=C sort -u >"$out/$part/$language.phones"
    speechtl decode "$reader" "data/unseen/$language" "$out/$part/$language" --inventory "$out/$part/$language.phones" \
      --save-posteriors "$out/$part/$language"
  done
}

score() { # score PART PENALTY LANGUAGE...: phone errors of each with a blank penalty, into OUT/DECISION/PART/PENALTY/LANGUAGE/wer
  local place=$out/$1 scored=$out/$decision/$1/$2 language
  local settings=(--set decoding.blank_penalty="$2" --set decoding.phone_decision="$decision")
  shift 2
  [ $inventory = own ] || speechtl decode "$reader" "$place/data" "$scored" --inventory all --posteriors "$place/all/posteriors.scp" \
    "${settings[@]}"
  for language in "$@"; do
    if [ $inventory = all ]; then
      mkdir -p "$scored/$language"
      awk 'NR == FNR { own[$1]; next } $1 in own' "data/unseen/$language/text" "$scored/phones" >"$scored/$language/phones"
    else
      speechtl decode "$reader" "data/unseen/$language" "$scored/$language" --inventory "$place/$language.phones" \
        --posteriors "$place/$language/posteriors.scp" "${settings[@]}"
    fi
    speechtl score "data/unseen/$language" "$scored/$language/phones" --unit phone --lexicon "data/unseen/$language.txt" \
      --out "$scored/$language" >"$scored/$language/score.txt"
  done
}

penalties="-1 0 0.5 1 1.5 2 3"
if ! is_new "$out/$decision/penalty"; then
  run_model dev "${dev[@]}"
  for penalty in $penalties; do
    score dev "$penalty" "${dev[@]}"
  done
  python local/language_table.py local/unseen_languages.tsv "$out/$decision/dev" --best | tee "$out/$decision/dev.txt"
  tail -1 "$out/$decision/dev.txt" >"$out/$decision/penalty"
fi
penalty=$(cat "$out/$decision/penalty")
run_model test "${test[@]}"
for one in 0 "$penalty"; do
  how="chosen on ${dev[*]}"
  [ "$one" = "$penalty" ] || how="the default"
  score test "$one" "${test[@]}"
  echo "$name, inventory $inventory, $decision, blank penalty $one ($how)"
  echo
  python local/language_table.py local/unseen_languages.tsv "$out/$decision/test/$one"
  echo
  [ "$one" != "$penalty" ] || break
done | tee "$out/$decision.md"

#!/usr/bin/env bash
# The numbers one to ten of languages that no base model was trained on, by their pronunciation alone: ten isolated words each.
#
#   recipes/base/digits.sh [--model DIR] [--nj N]
#
# The blank penalty is chosen on Hungarian and Portuguese, whose numbers are in one lexicon for that (twenty words); neither is
# among the languages of the test (local/number_languages.tsv). Results: exp/evaluation/MODEL/digits.md.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/local/evaluated.sh"

mapfile -t test < <(languages_of number_languages test numbers)
have numbers/dev || exit 0
out=$results/digits
mkdir -p "$out"
# The model runs once, over the phones of all languages: how the words of one compare does not depend on other phones.
cut -d' ' -f2- data/numbers/??.txt | tr ' ' '\n' | LC_ALL=C sort -u | sed '/^$/d' >"$out/phones.txt"
if ! is_new "$out/all/phones"; then
  speechtl data combine "$out/data" data/numbers/dev "${test[@]/#/data/numbers/}" --overwrite
  speechtl decode "$reader" "$out/data" "$out/all" --inventory "$out/phones.txt" --save-posteriors "$out/all"
fi
options=(--inventory "$out/phones.txt" --posteriors "$out/all/posteriors.scp" --set decoding.mode=isolated --no-times --nj "$nj")
LC_ALL=C sort -u data/numbers/{hu,pt}.txt >"$out/dev.txt"
is_new "$out/dev/text" || speechtl decode "$reader" data/numbers/dev "$out/dev" --lexicon "$out/dev.txt" "${options[@]}" \
  --tune data/numbers/dev --grid "blank_penalty=-4,-2,0,2,4,6,8"
for language in "${test[@]}"; do
  is_new "$out/$language/text" || speechtl decode "$reader" "data/numbers/$language" "$out/$language" --lexicon "data/numbers/$language.txt" \
    "${options[@]}" --config "$out/dev/tuned.toml"
done
python local/number_table.py local/number_languages.tsv data/numbers "$out" | tee "$out.md"

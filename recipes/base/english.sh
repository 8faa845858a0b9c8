#!/usr/bin/env bash
# Words of English that come with the package: the CMU dictionary in IPA, and a small language model over its most frequent words.
# Both are made of what pocketsphinx carries (pip install 'speechtl[dictionaries]').
#
#   recipes/base/english.sh [--out DIR]
#
# They go into the package, or into DIR.
set -euo pipefail

out=../../speechtl/pretrained/words/en

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh

mkdir -p "$out" exp/english
speechtl lexicon build-english exp/english/lexicon.txt
gzip -9nc exp/english/lexicon.txt >"$out/lexicon.txt.gz"
python local/english_lm.py "$out/lm.arpa.gz"

# Sourced by the recipes that train on several corpora, after env.sh.
#
#   source ../shared/make_lexicon.sh
#   make_lexicon kerstin_de data/kerstin_de

make_lexicon() { # make_lexicon CORPUS DATA: DATA/lexicon.txt in IPA, from what ../corpora/CORPUS.py has written there
  case $1 in
    an4 | speechocean762)
      speechtl lexicon convert "$2/dict/lexicon.txt" "$2/lexicon.txt" --notation arpabet
      ;;
    dspspeech20 | gcin_voice)
      # Some minutes of Mandarin are too little to learn its tones from.
      speechtl lexicon convert "$2/lexicon.txt" "$2/lexicon.txt" --notation ipa --tone drop
      ;;
    kerstin_de)
      speechtl lexicon g2p --rules de -n 1 --words "$2/words.txt" --out "$2/lexiconp.txt"
      cut -d' ' -f1,3- "$2/lexiconp.txt" >"$2/lexicon.txt"
      ;;
    festvox_ru)
      # Russian spelling hides the stress; the labels, by word, have it.
      speechtl lexicon g2p --rules ru -n 6 --words "$2/words.txt" --out "$2/lexiconp.txt"
      python ../corpora/label_lexicon.py --text "$2"/{train,dev,test}/text --labels "$2/labels.txt" \
        --guesses "$2/lexiconp.txt" --out "$2/lexicon.txt"
      ;;
    persian)
      # Its dictionaries lack a third of the words: all_words.txt has them, too.
      mkdir -p "$2/guessed"
      speechtl lexicon g2p --lexicon "$2/dictionary.txt" --words "$2/unknown.txt" -n 1 --out "$2/guessed/lexiconp.txt"
      cut -d' ' -f1,3- "$2/guessed/lexiconp.txt" | LC_ALL=C sort -u - "$2/lexicon.txt" >"$2/all_words.txt"
      ;;
  esac
}

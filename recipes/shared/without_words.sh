# Sourced by recipes that hold words out of training.

without_words() { # without_words WORDS DATA OUT: OUT, the utterances of DATA that have none of the words of a file
  mkdir -p "$(dirname "$3")"
  awk 'NR == FNR { held[$1]; next } { for (i = 2; i <= NF; i++) if ($i in held) next; print $1 }' "$1" "$2/text" >"$3.list"
  speechtl data subset "$2" "$3" --utterance-list "$3.list" --overwrite
}

# Sourced by the scripts of this recipe: the corpus that --words names, its folders, its preparation.
# shellcheck disable=SC2034,SC2154

if [ ! -e "conf/${words:-none}.sh" ]; then
  echo "error: --words ${words:-is missing}: give --words dspspeech20 or --words arabic_commands" >&2
  exit 1
fi
# shellcheck source=conf/dspspeech20.sh
source "conf/$words.sh"
data=data/$words
exp=exp/$words
lexicon=$data/lexicon.txt

prepare() { # data directories, speakers and words divided
  python "../corpora/$words.py" --corpus "$corpus" --out "$data" --seed 1
  python local/divide_words.py --text "$data"/{train,dev,test}/text --lexicon "$lexicon" --out "$data" --folds 4 \
    --seed 1
}

train() { # train CONF EXP SETTING...: conf/CONF.toml in the language of the corpus
  local conf=$1 model=$2 settings=() setting
  shift 2
  for setting in "data.0.language=$language" "$@"; do
    settings+=(--set "$setting")
  done
  speechtl train "conf/$conf.toml" "$model" "${settings[@]}"
}

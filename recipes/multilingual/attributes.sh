#!/usr/bin/env bash
# Phones without training data: attribute heads and acoustic word embeddings. Needs data/ and lexicons of run.sh, stages
# 0 and 1.
#
#   recipes/multilingual/attributes.sh [--stage N] [--stop-stage M] [--nj N] [--seeds "1 2 3"]
#
# Stages: 0 noisy copies, 1 times of phones, 2 train, 3 decode Arabic words and the held-out Mandarin ones,
# 4 word embeddings, 5 the tables.
set -euo pipefail

stage=0
stop_stage=5
nj=$(nproc)
seeds="1 2 3"
corpora="an4 dspspeech kerstin festvox" # of training
penalties=-8,-6,-5,-4,-3,-2,-1,0,1,2

source "$(dirname "${BASH_SOURCE[0]}")/../shared/parse_options.sh"
source ../shared/env.sh
source ../shared/stages.sh

for name in an4 dspspeech dspspeech_zh kerstin festvox arabic; do
  if [ ! -e "data/$name/train/feats.scp" ]; then
    echo "left out: attributes ($name is not there; it needs all five corpora)" >&2
    exit 0
  fi
done

if run_stage 0 "the speech without the held-out Mandarin words; noisy copies of it"; then
  mkdir -p data/attributes
  awk 'NR == FNR { held[$1]; next } !($2 in held) { print $1 }' conf/attributes_held_out.txt data/dspspeech/train/text \
    >data/attributes/heard.list
  speechtl data subset data/dspspeech/train data/attributes/dspspeech/clean \
    --utterance-list data/attributes/heard.list --overwrite
  for name in an4 kerstin festvox; do
    speechtl data combine "data/attributes/$name/clean" "data/$name/train" --overwrite
  done
  # Penalties for Arabic are chosen on Mandarin words that training has not, also in voices that it has.
  for part in train dev; do
    awk 'NR == FNR { held[$1]; next } $2 in held { print $1 }' conf/attributes_held_out.txt \
      data/dspspeech_zh/$part/text >data/attributes/unheard_$part.list
    speechtl data subset data/dspspeech_zh/$part data/attributes/zh_unheard_$part \
      --utterance-list data/attributes/unheard_$part.list --overwrite
  done
  speechtl data combine data/attributes/zh_dev data/attributes/zh_unheard_train data/attributes/zh_unheard_dev \
    --overwrite
  cat data/{an4,dspspeech,kerstin,festvox}/lexicon.txt >data/attributes/lexicon.txt
  for name in $corpora; do
    python local/noisy_copies.py "data/attributes/$name/clean" "data/attributes/$name/noisy1" --seed 1
  done
  speechtl features data/attributes/{an4,dspspeech,kerstin,festvox}/noisy1 --config conf/features.toml --nj "$nj"
fi

if run_stage 1 "the phones of this speech in time"; then
  speechtl train conf/attributes_aligner.toml exp/attributes_aligner
  for name in $corpora; do
    for copy in clean noisy1; do
      speechtl align exp/attributes_aligner "data/attributes/$name/$copy" "exp/attributes_aligner/$name/$copy" \
        --lexicon "data/$name/lexicon.txt" --no-textgrids --nj "$nj"
      cp "exp/attributes_aligner/$name/$copy/phones.ctm" "data/attributes/$name/$copy/"
    done
  done
fi

if run_stage 2 "attribute heads, and one head of phones for comparison"; then
  for seed in $seeds; do
    for system in attributes attributes_plain; do
      speechtl train conf/$system.toml "exp/${system}_$seed" --set "seed=$seed"
    done
  done
fi

if run_stage 3 "words with phones that are not in training"; then
  for seed in $seeds; do
    for language in arabic zh; do
      # The penalty of one language is chosen on the other one, whose words are not in training either.
      case $language in
        arabic) dev=data/attributes/zh_dev others=data/dspspeech_zh test=data/arabic/test own=data/arabic ;;
        zh) dev=data/arabic/dev others=data/arabic test=data/dspspeech_zh/test own=data/dspspeech_zh ;;
      esac
      # plain: nearest phones in one head of all phones, which the aligner has too. nearest: the same in an attribute
      # head of these phones alone.
      for system in plain nearest attributes; do
        exp=exp/attributes_$seed options=(--inventory lexicon --language dsp)
        [ $system != plain ] || exp=exp/attributes_plain_$seed options=()
        if [ ! -e "$exp/weights.h5" ]; then
          echo "left out: $exp is not trained" >&2
          continue
        fi
        out=$exp/$language/$system mapping=(--experiment exp/attributes_aligner)
        [ $system != attributes ] || mapping=()
        mkdir -p "$out"
        for place in $others $own; do
          speechtl lexicon convert "$place/lexicon.txt" "$out/$(basename "$place").txt" --notation ipa --tone drop \
            ${mapping[@]+"${mapping[@]}"}
        done
        # One lexicon of both languages would let the words of one be taken for those of the other.
        speechtl decode "$exp" "$dev" "$out/dev" --lexicon "$out/$(basename "$others").txt" --tune "$dev" --no-times \
          --grid "blank_penalty=$penalties" ${options[@]+"${options[@]}"}
        speechtl decode "$exp" "$test" "$out" --lexicon "$out/$(basename "$own").txt" --config "$out/dev/tuned.toml" \
          --no-times ${options[@]+"${options[@]}"}
      done
    done
  done
fi

if run_stage 4 "word embeddings"; then
  # Sentences have many more words than the lists of isolated ones.
  for name in an4 kerstin festvox; do
    python local/cut_words.py data/attributes/$name/clean exp/attributes_aligner/$name/clean/ctm \
      data/attributes/$name/words
  done
  speechtl features data/attributes/{an4,kerstin,festvox}/words --config conf/features.toml --nj "$nj"
  mkdir -p data/attributes/arabic
  awk 'NR == FNR { held[$1]; next } !($2 in held) { print $1 }' conf/embedding_held_out.txt data/arabic/train/text \
    >data/attributes/arabic/heard.list
  speechtl data subset data/arabic/train data/attributes/arabic/train \
    --utterance-list data/attributes/arabic/heard.list --overwrite
  for seed in $seeds; do
    exp=exp/word_embedding_$seed
    speechtl train conf/word_embedding.toml "$exp" --set "seed=$seed" --set "transfer.0.source=exp/attributes_$seed"
    for name in arabic dspspeech; do
      language="ar"
      [ $name = arabic ] || language=dsp
      speechtl lexicon convert "data/$name/lexicon.txt" "$exp/$name.txt" --notation ipa --tone drop
      speechtl decode "$exp" "data/$name/test" "$exp/$name/embedding" --lexicon "$exp/$name.txt" --language $language
      phones=(--lexicon "$exp/$name.txt" --inventory lexicon --language "$language" --no-times)
      speechtl decode "$exp" "data/$name/dev" "$exp/$name/dev" "${phones[@]}" --set decoding.mode=isolated \
        --tune "data/$name/dev" --grid blank_penalty=-2,0,2,4,6,8
      speechtl decode "$exp" "data/$name/test" "$exp/$name/phones" "${phones[@]}" --config "$exp/$name/dev/tuned.toml"
    done
  done
fi

if run_stage 5 "results"; then
  {
    for language in arabic zh; do
      test=data/arabic/test words=()
      [ $language = arabic ] || test=data/dspspeech_zh/test words=(--words conf/attributes_held_out.txt)
      python local/word_accuracy.py $test ${words[@]+"${words[@]}"} --baseline "nearest phones" \
        --system "nearest phones=exp/attributes_plain_*/$language/plain/text" \
        --system "nearest, attributes=exp/attributes_[0-9]*/$language/nearest/text" \
        --system "attributes=exp/attributes_[0-9]*/$language/attributes/text"
    done
    for name in arabic dspspeech; do
      unheard=conf/embedding_held_out.txt
      [ $name = arabic ] || unheard=conf/attributes_held_out.txt
      cut -d' ' -f1 "data/$name/lexicon.txt" | sort -u | grep -vxFf $unheard >data/attributes/$name/heard.words
      for words in $unheard data/attributes/$name/heard.words; do
        echo "words of $words"
        python local/word_accuracy.py data/$name/test --words "$words" --baseline phones \
          --system "phones=exp/word_embedding_*/$name/phones/text" \
          --system "embeddings=exp/word_embedding_*/$name/embedding/text"
      done
    done
  } | tee exp/attributes.results
fi

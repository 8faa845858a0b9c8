# DSPSpeech-20, 12 Mandarin and 8 English words by the same speakers: what the scripts know of it.
# shellcheck disable=SC2034

title="DSPSpeech-20"
language="mul" # Mandarin and English, in one inventory of phones
some=9       # one of so many training utterances shows what adaptation forgets
layers_speakers="10 speakers to 5 others"
layers_language="another language to Chinese words of 5 speakers"

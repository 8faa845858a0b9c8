# Arabic Speech Commands, 40 commands and digits, in noise: what the scripts know of it.
# shellcheck disable=SC2034

title="Arabic commands"
language="ar"
some=12 # one of so many training utterances shows what adaptation forgets
layers_speakers="8 speakers to 4 others"
layers_language="another language to 4 speakers"

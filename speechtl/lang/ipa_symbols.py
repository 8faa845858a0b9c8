"""The symbols of the International Phonetic Alphabet by kind: letters, modifiers, diacritics, tone, stress, boundaries.

The IPA chart (revised to 2020), and of the extIPA what dictionaries use.
"""

VOWELS = frozenset("iyɨʉɯuɪʏʊeøɘɵɤoəɚɛœɜɝɞʌɔæɐaɶɑɒᵻᵿ")
PLOSIVES = frozenset("pbtdʈɖcɟkɡqɢʡʔɓɗᶑɖʄɠʛƥƭƈƙʠʘǀǃǂǁ")
FRICATIVES = frozenset("ɸβfvθðszʃʒʂʐçʝxɣχʁħʕʜʢhɦɕʑɧɬɮꞎ")
SONORANTS = frozenset("mɱnɳɲŋɴʙrʀɾɽⱱʋɹɻjɰlɭʎʟɫɺʍwɥ")
LETTERS = VOWELS | PLOSIVES | FRICATIVES | SONORANTS

TIE = "\u0361"
LENGTHS = "ːˑ"
MODIFIERS = frozenset("ʰʱʲʷˠˤⁿˡᵊᶿˣʼ˞ˀᵐᵑᶮᶯᶬᶰᵝᶹʳʴʵʶ\u02e2ᶻᶴᶣ˔˕˖˗ᶠᵛᵡ")
# Superscript nasals before an obstruent are its prenasalisation; a release (tⁿ) needs a stop before it.
NASAL_MODIFIERS = frozenset("ⁿᵐᵑᶮᶯᶬᶰ")
TONE_LETTERS = frozenset("˥˦˧˨˩꜈꜉꜊꜋꜌꜒꜓꜔꜕꜖⁰¹²³⁴⁵⁶⁷⁸⁹ꜛꜜ↗↘")
STRESS_MARKS = frozenset("ˈˌ")
BOUNDARIES = frozenset(" \t.-‿|‖͏")

# Tone written over the vowel, with the tone letters that the IPA chart gives for it.
TONE_MARKS = {
    "\u030b": "˥",
    "\u0301": "˦",
    "\u0304": "˧",
    "\u0300": "˨",
    "\u030f": "˩",
    "\u030c": "˩˥",
    "\u0302": "˥˩",
    "\u1dc4": "˦˥",
    "\u1dc5": "˩˨",
    "\u1dc6": "˨˩",
    "\u1dc7": "˥˦",
    "\u1dc8": "˧˦˧",
}
SYLLABIC = "\u0329"

MARKS = frozenset("̥̬̹̜̟̠̩̯̤̰̼̪̺̻̝̞̘̙̃̈̽̆͆͋͊͌̚͢\u0320\u031d\u031e\u0327\u0334\u0347\u034e\u0348\u0349\u0318\u0319\u033a") | set(TONE_MARKS)

"""Random phones and phone sequences."""

import unicodedata

from hypothesis import strategies as st

from speechtl.lang.ipa_symbols import FRICATIVES, PLOSIVES, SONORANTS, VOWELS

CONSONANTS = sorted(PLOSIVES | FRICATIVES | SONORANTS)
VOWEL = st.builds(
    lambda letter, nasal, length: unicodedata.normalize("NFC", letter + nasal + length),
    st.sampled_from(sorted(VOWELS - {"ɚ", "ɝ"})),
    st.sampled_from(["", "\u0303", "\u0324", "\u031e"]),
    st.sampled_from(["", "ː", "ˑ"]),
)
CONSONANT = st.builds(
    lambda first, second, mark, release, length: unicodedata.normalize(
        "NFC", (f"{first}\u0361{second}" if second else first) + mark + release + length
    ),
    st.sampled_from(CONSONANTS),
    st.sampled_from(["", "", "", *sorted(FRICATIVES)]),
    st.sampled_from(["", "\u032a", "\u0325", "\u0329"]),
    st.sampled_from(["", "ʰ", "ʲ", "ʷʰ", "ˤ", "ʼ"]),
    st.sampled_from(["", "ː"]),
)
SEGMENTS = st.lists(st.one_of(VOWEL, CONSONANT), min_size=1, max_size=8)

import csv
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phone_strategies import SEGMENTS

from speechtl.errors import LexiconError
from speechtl.lang.notations import ARPABET, XSAMPA
from speechtl.lang.panphon_table import data_folder
from speechtl.lang.phone_inventory import PhoneInventory, arpabet_to_ipa, normalise_ipa, split_ipa, xsampa_to_ipa

FORMS = st.sampled_from(["NFC", "NFD"])


@pytest.mark.parametrize(
    "text, expected",
    [
        ("ˈstɹiːt", "s t ɹ iː t"),
        ("t͡ʃʰa", "t͡ʃʰ a"),
        ("t͜sʼ", "t͡sʼ"),
        ("ʧʤʦ", "t͡ʃ d͡ʒ t͡s"),
        ("tʃ", "t ʃ"),
        ("gɡ", "ɡ ɡ"),
        ("a:", "aː"),
        ("ɛ̃ː", "ɛ̃ː"),
        ("ɛː̃", "ɛ̃ː"),
        ("tːʰ", "tʰː"),
        ("l\u0329\u0325", "l\u0325\u0329"),
        ("l\u0325\u0329", "l\u0325\u0329"),
        ("ŋ̍ŋ̊", "ŋ̩ ŋ̥"),
        ("aⁿda", "a ⁿd a"),
        ("dⁿa", "dⁿ a"),
        ("ᵐba", "ᵐb a"),
        ("aʰka", "a ʰk a"),
        ("akʰa", "a kʰ a"),
        ("ˀba", "ˀb a"),
        ("hunˀ", "h u nˀ"),
        ("ə˞ ɚ", "ɚ ɚ"),
        ("sˤifr", "sˤ i f r"),
        ("ŋ͡mk͡p", "ŋ͡m k͡p"),
        ("la‿a.mi-k", "l a a m i k"),
        ("ɿ", "ɹ̩"),
        ("", ""),
    ],
)
def test_ipa_is_split_into_segments_with_all_that_belongs_to_them(text, expected):
    expected = [unicodedata.normalize("NFC", segment) for segment in expected.split()]
    assert split_ipa(unicodedata.normalize("NFC", text)) == expected
    assert split_ipa(unicodedata.normalize("NFD", text)) == expected


@pytest.mark.parametrize(
    "text, keep, drop, separate",
    [
        ("ma˥˩ŋ", "m a˥˩ ŋ", "m a ŋ", "m a ˥˩ ŋ"),
        ("maŋ³⁵", "m a ŋ³⁵", "m a ŋ", "m a ŋ ³⁵"),
        ("ma55", "m a⁵⁵", "m a", "m a ⁵⁵"),
        ("má", "m á", "m a", "m a ˦"),
        ("m̩̀", "m̩̀", "m̩", "m̩ ˨"),
        ("mã̌ː", "m ã̌ː", "m ãː", "m ãː ˩˥"),
        ("a ˥", "a ˥", "a", "a ˥"),
        ("maꜜta", "m aꜜ t a", "m a t a", "m a ꜜ t a"),
    ],
)
def test_tone_is_kept_dropped_or_separated_as_asked(text, keep, drop, separate):
    for choice, expected in (("keep", keep), ("drop", drop), ("separate", separate)):
        assert split_ipa(text, tone=choice) == unicodedata.normalize("NFC", expected).split(), choice


def test_stress_that_is_kept_moves_to_the_nucleus_of_its_syllable():
    assert split_ipa("ˈstɹiːtˌlaɪt", stress="keep") == ["s", "t", "ɹ", "ˈiː", "t", "l", "ˌa", "ɪ", "t"]
    assert split_ipa("ˈbr̩no", stress="keep") == ["b", "ˈr̩", "n", "o"]
    assert split_ipa("ˈʃ", stress="keep") == ["ˈʃ"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("tS", "'tS': 'S' (U+0053 LATIN CAPITAL LETTER S) is not IPA; is it ARPABET or X-SAMPA (--notation)?"),
        ("ʃ%€", "'ʃ%€': '%' (U+0025 PERCENT SIGN) is not IPA; '€' (U+20AC EURO SIGN) is not IPA"),
        ("ši", "'ši': 'š' (U+0161 LATIN SMALL LETTER S WITH CARON) is not IPA; write ʃ"),
        ("\u0303a", "'\u0303a': '◌\u0303' (U+0303 COMBINING TILDE) has no letter to attach to"),
        ("ʰ", "'ʰ': 'ʰ' (U+02B0 MODIFIER LETTER SMALL H) has no letter to attach to"),
        ("ːa", "'ːa': 'ː' (U+02D0 MODIFIER LETTER TRIANGULAR COLON) has no letter to attach to"),
        ("t͡", "'t͡': the tie bar does not join two letters"),
        ("aˈ", "'aˈ': a stress mark with nothing after it"),
    ],
)
def test_what_is_not_ipa_is_named(text, message):
    with pytest.raises(LexiconError) as error:
        split_ipa(text)
    assert str(error.value) == message


@settings(max_examples=100, deadline=None)
@given(SEGMENTS, FORMS)
def test_segments_survive_being_joined_in_any_normal_form(segments, form):
    # ʰ between a vowel and a plosive is preaspiration, and no modifier starts a segment here.
    text = unicodedata.normalize(form, "".join(segments))
    assert split_ipa(text) == split_ipa(unicodedata.normalize("NFC", "".join(segments)))
    assert "".join(split_ipa(text)) == normalise_ipa(text)
    assert len(split_ipa(text)) == len(segments)
    # The same symbols, no more and no less.
    assert sorted(unicodedata.normalize("NFD", normalise_ipa(text))) == sorted(unicodedata.normalize("NFD", text))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("aɪtʃʰː̃͡ˈ˥ⁿʲ5 ."), max_size=8))
def test_any_text_is_either_split_stably_or_refused(text):
    try:
        segments = split_ipa(text, stress="keep")
    except LexiconError:
        return
    normal = "".join(segments)
    assert all(segment == unicodedata.normalize("NFC", segment) and segment for segment in segments)
    assert normalise_ipa(" ".join(segments)) == normal
    assert split_ipa(text, tone="drop") == [
        bare for segment in split_ipa(text) for bare in split_ipa(segment, tone="drop")
    ]


def test_every_segment_of_panphon_is_one_segment():
    with open(data_folder() / "ipa_all.csv", encoding="utf-8", newline="") as file:
        names = [row[0] for row in csv.reader(file)][1:]
    names = [name for name in names if name[0] not in "˩˨˧˦˥"]
    assert len(names) > 6000
    assert [name for name in names if len(split_ipa(name)) != 1] == []


@pytest.mark.parametrize(
    "symbol, drop, keep",
    [
        ("AH0", "ʌ", "ə"),
        ("AH1", "ʌ", "ˈʌ"),
        ("AH", "ʌ", "ʌ"),
        ("ER0", "ɝ", "ɚ"),
        ("ER2", "ɝ", "ˌɝ"),
        ("iy1", "i", "ˈi"),
        ("AY2", "a͡ɪ", "ˌa͡ɪ"),
        ("AXR", "ɚ", "ɚ"),
        ("JH", "d͡ʒ", "d͡ʒ"),
        ("EL1", "l̩", "ˈl̩"),
        ("HH", "h", "h"),
        ("NX", "ɾ̃", "ɾ̃"),
    ],
)
def test_arpabet(symbol, drop, keep):
    assert arpabet_to_ipa(symbol) == drop
    assert arpabet_to_ipa(symbol, stress="keep") == keep


def test_arpabet_symbols_are_single_normal_phones():
    for symbol, phone in ARPABET.items():
        assert split_ipa(phone) == [phone], symbol
    extra = ["AX", "AXR", "DX", "EL", "EM", "EN", "ENG", "H", "HV", "IX", "NX", "Q", "UX", "WH"]
    core = [ARPABET[name] for name in ARPABET if name not in extra]
    assert len(set(core)) == 39


@pytest.mark.parametrize("symbol", ["SIL", "K1", "AA3", "", "1", "ʌ"])
def test_what_is_not_arpabet_is_refused(symbol):
    with pytest.raises(LexiconError, match="is not an ARPABET phone"):
        arpabet_to_ipa(symbol)


def test_xsampa_agrees_with_panphons_table():
    with open(data_folder() / "ipa-xsampa.csv", encoding="utf-8", newline="") as file:
        rows = [(row["X-SAMPA"], row["IPA"].strip()) for row in csv.DictReader(file)]
    # Not in the table's terms: a quoting slip, affricates without a tie bar, tone letters for tone diacritics.
    rows = [
        (xsampa, ipa) for xsampa, ipa in rows if xsampa != "'=\\" and "\u0361" not in ipa and ipa[-1] not in "˩˨˧˦˥"
    ]
    assert len(rows) > 130
    wrong = [(x, ipa) for x, ipa in rows if normal(xsampa_to_ipa(x)) != normal(ipa)]
    assert wrong == []


@pytest.mark.parametrize(
    "text, expected",
    [
        ('"strI:t_S', "s t r ɪː t͡ʃ"),
        ("r\\`=_H", "ɻ̩́"),
        ("t_d_h", "t̪ʰ"),
        ("p_>J\\_<G\\_<", "pʼ ʄ ʛ"),
        ("A~:3`@`", "ɑ̃ː ɝ ɚ"),
        ("|\\|\\ |\\ !\\", "ǁ ǀ ǃ"),
        ("s\\s`z\\x\\", "ɕ ʂ ʑ ɧ"),
        ("a_B_L", "a᷅"),
        ("t'", "tʲ"),
        ("n=", "n̩"),
        ("ma<R>", "m a↗"),
    ],
)
def test_xsampa(text, expected):
    assert split_ipa(xsampa_to_ipa(text)) == normal(expected).split()


def test_every_xsampa_letter_is_ipa_and_has_one_meaning():
    letters = {
        token: symbol
        for token, symbol in XSAMPA.items()
        if token[0] not in "_=~`'^.-|\"%:! " and not token.startswith("<R") and not token.startswith("<F")
    }
    for token, symbol in letters.items():
        assert len(split_ipa(symbol)) == 1, token
    meanings = [symbol for token, symbol in letters.items() if token != "P"]
    assert len(set(meanings)) == len(meanings)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([t for t in XSAMPA if t[0].isalnum() or t[0] in "@{}&?"]), min_size=1, max_size=6))
def test_xsampa_symbols_set_apart_are_read_one_by_one(tokens):
    assert split_ipa(xsampa_to_ipa(" ".join(tokens))) == [normalise_ipa(XSAMPA[token]) for token in tokens]


def test_what_is_not_xsampa_is_refused():
    with pytest.raises(LexiconError, match="'a€ß': not X-SAMPA: € ß"):
        xsampa_to_ipa("a€ß")


# --- inventory -------------------------------------------------------------------------------------------------------

ENGLISH = list("ɑæʌɔbdðɛɝfɡhɪiklmnŋpɹsʃt")


def test_units_count_from_one_after_the_blank():
    inventory = PhoneInventory(["a", "t͡ʃ", "b"])
    assert len(inventory) == 3 and "b" in inventory and "<blk>" not in inventory
    assert [inventory.index(phone) for phone in inventory] == [1, 2, 3]
    assert inventory.phone(2) == "t͡ʃ"
    assert inventory.encode(["b", "a"]) == [3, 1]
    assert inventory.decode([3, 1]) == ["b", "a"]
    for unit in (0, 4, -1):
        with pytest.raises(LexiconError, match=f"no phone has unit {unit}"):
            inventory.phone(unit)


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda t: t.split() == [t]), unique=True))
@settings(max_examples=50, deadline=None)
def test_inventory_survives_a_file(tmp_path_factory, phones):
    phones = [phone for phone in phones if phone != "<blk>"]
    path = tmp_path_factory.mktemp("phones") / "phones.txt"
    PhoneInventory(phones).save(path)
    assert PhoneInventory.load(path) == PhoneInventory(phones)
    assert path.read_text(encoding="utf-8").startswith("<blk> 0\n")


@pytest.mark.parametrize("phones", [["a", "a"], ["<blk>"], ["a b"], [""]])
def test_bad_phones_are_refused(phones):
    with pytest.raises(LexiconError):
        PhoneInventory(phones)


def test_unknown_phones_come_with_the_nearest(tmp_path):
    inventory = PhoneInventory(ENGLISH)
    assert inventory.nearest("tʰ")[0] == "t"
    assert "ɛ" in inventory.nearest("e", k=3)
    assert inventory.nearest("ɣ")[0] == "ɡ"
    assert inventory.nearest("SIL") == []
    with pytest.raises(LexiconError) as error:
        inventory.encode(["a", "t", "zz", "a", "SIL"])
    lines = str(error.value).split("\n")
    assert lines[0] == "3 phones are not in the inventory:"
    assert lines[1].startswith("  'a' is not in the phone inventory; nearest: ")
    assert lines[3] == "  'SIL' is not in the phone inventory"


def test_all_bad_lines_of_a_phone_table_are_listed(tmp_path):
    path = tmp_path / "phones.txt"
    path.write_bytes(b"<blk> 0\na 1\nb 1\na 3\nc\n\nd 0\ne x\n" + b"\xff 5\n")
    with pytest.raises(LexiconError) as error:
        PhoneInventory.load(path)
    assert str(error.value).split("\n") == [
        f"{path}: not a phone table",
        f"  {path}:3: number 1 already belongs to 'a'",
        f"  {path}:4: 'a' already has number 1",
        f"  {path}:5: expected 'phone number' (got 'c')",
        f"  {path}:7: number 0 already belongs to '<blk>'",
        f"  {path}:8: expected 'phone number' (got 'e x')",
        f"  {path}:9: not UTF-8 (byte 0xFF at column 1); save the file as UTF-8",
    ]
    path.write_text("a 1\nb 3\n")
    with pytest.raises(LexiconError, match=r"no line '<blk> 0'.*\n.*no phone has number 2"):
        PhoneInventory.load(path)
    with pytest.raises(LexiconError, match=r"missing\.txt: cannot read: No such file"):
        PhoneInventory.load(tmp_path / "missing.txt")


def normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def test_phones_are_read_from_a_list_as_people_write_it(tmp_path):
    path = tmp_path / "phones.txt"
    path.write_text("# German\np b ʧ\n\ng aː\n", encoding="utf-8")
    assert PhoneInventory.read(path).phones == ("p", "b", "t͡ʃ", "ɡ", "aː")
    PhoneInventory(["b", "a"]).save(path)
    assert PhoneInventory.read(path).phones == ("b", "a")
    for text, said in [
        ("p b\nɡ p g\n", r"(?s):2: 'p' is in line 1 already.*:2: 'g' is in line 2 already"),
        ("p\nQ b ß\n", r"(?s):2: .*Q.*:2: .*ß"),
        ("# p\n", "no phones in it"),
    ]:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(LexiconError, match=said):
            PhoneInventory.read(path)

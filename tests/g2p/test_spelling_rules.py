import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.errors import LexiconError
from speechtl.g2p.rule_languages import FOLDER, rule_languages
from speechtl.g2p.spelling_rules import SpellingRules
from speechtl.lang.ipa import split_ipa
from speechtl.lang.lexicon import Lexicon

LEXICONS = Path(__file__).parents[2] / "lexicons"

# As dictionaries of the languages write them.
REFERENCES = {
    "be": {
        "хлеб": "x lʲ ɛ p",
        "дзень": "d͡zʲ ɛ nʲ",
        "цётка": "t͡sʲ ɔ t k a",
        "снег": "sʲ nʲ ɛ x",
        "воўк": "v ɔ w k",
        "п'яць": "p j a t͡sʲ",
        "п’яць": "p j a t͡sʲ",
        "сям'я": "sʲ a m j a",
        "лошадзь": "l ɔ ʂ a t͡sʲ",
        "яблык": "j a b l ɨ k",
        "просьба": "p r ɔ zʲ b a",
        "нож": "n ɔ ʂ",
        "ураджай": "u r a d͡ʐ a j",
        "горад": "ɣ ɔ r a t",
    },
    "bg": {
        "хляб": "x l j a p",
        "градът": "ɡ r a d ɤ t",
        "вълк": "v ɤ l k",
        "сърце": "s ɤ r t͡s ɛ",
        "щастие": "ʃ t a s t i ɛ",
        "джоб": "d͡ʒ ɔ p",
        "шофьор": "ʃ ɔ f j ɔ r",
        "сняг": "s n j a k",
        "ябълка": "j a b ɤ l k a",
        "любов": "l j u b ɔ f",
        "сграда": "z ɡ r a d a",
        "яйце": "j a j t͡s ɛ",
    },
    "cs": {
        "řeka": "r̝ ɛ k a",
        "dítě": "ɟ iː c ɛ",
        "město": "m ɲ ɛ s t o",
        "pět": "p j ɛ t",
        "dům": "d uː m",
        "chléb": "x l ɛː p",
        "sníh": "s ɲ iː x",
        "krk": "k r̩ k",
        "vlk": "v l̩ k",
        "kdo": "ɡ d o",
        "prosba": "p r o z b a",
        "džbán": "d͡ʒ b aː n",
        "dvě": "d v j ɛ",
        "hodina": "ɦ o ɟ ɪ n a",
        "autobus": "a͡u t o b u s",
    },
    "de": {
        "Wasser": "v a s ɐ",
        "Schule": "ʃ uː l ə",
        "Bücher": "b yː ç ɐ",
        "Buch": "b uː x",
        "Straße": "ʃ t ʁ aː s ə",
        "Sprache": "ʃ p ʁ aː x ə",
        "Kind": "k ɪ n t",
        "Deutschland": "d ɔ͡ʏ t͡ʃ l a n t",
        "Freiheit": "f ʁ a͡ɪ h a͡ɪ t",
        "wichtig": "v ɪ ç t ɪ ç",
        "Zeitung": "t͡s a͡ɪ t ʊ ŋ",
        "Übung": "yː b ʊ ŋ",
        "Quelle": "k v ɛ l ə",
    },
    "el": {
        "νερό": "n e ɾ o",
        "παιδιά": "p e ð ʝ a",
        "άνθρωπος": "a n θ ɾ o p o s",
        "γυναίκα": "ʝ i n e k a",
        "χέρι": "ç e ɾ i",
        "κόσμος": "k o z m o s",
        "αυτοκίνητο": "a f t o c i n i t o",
        "διαβάζω": "ð ʝ a v a z o",
        "μπάλα": "b a l a",
        "αγγελία": "a ŋ ɟ e l i a",
        "ουρανός": "u ɾ a n o s",
        "τζάμι": "d͡z a m i",
        "ψάρι": "p s a ɾ i",
        "ήλιος": "i ʎ o s",
        "μάτια": "m a t ç a",
    },
    "es": {
        "ciudad": "θ j u ð a ð",
        "guerra": "ɡ e r a",
        "queso": "k e s o",
        "niño": "n i ɲ o",
        "llave": "ʝ a β e",
        "jueves": "x w e β e s",
        "muy": "m u j",
        "perro": "p e r o",
        "pero": "p e ɾ o",
        "cinco": "θ i ŋ k o",
        "bilingüe": "b i l i ŋ ɡ w e",
    },
    "fi": {"yksi": "y k s i", "kuusi": "k uː s i", "sauna": "s ɑ u n ɑ", "kengät": "k e ŋː æ t"},
    "it": {
        "chiesa": "k j ɛ z a",
        "ciao": "t͡ʃ a o",
        "gnocchi": "ɲ ɔ kː i",
        "figlio": "f i ʎː o",
        "scienza": "ʃ ɛ n t͡s a",
        "acqua": "a kː w a",
    },
    "nl": {
        "water": "ʋ aː t ə r",
        "huis": "h œ͡y s",
        "school": "s x oː l",
        "mannen": "m ɑ n ə n",
        "meisje": "m ɛ͡i ʃ ə",
        "vrouw": "v r ɑ͡u",
        "zeven": "z eː v ə n",
        "gebruiken": "ɣ ə b r œ͡y k ə n",
        "gemakkelijk": "ɣ ə m ɑ k ə l ə k",
        "leeuw": "l eː w",
        "nieuw": "n i w",
        "hond": "h ɔ n t",
        "honger": "h ɔ ŋ ə r",
        "twintig": "t ʋ ɪ n t ə x",
        "gewoon": "ɣ ə ʋ oː n",
        "geluk": "ɣ ə l ʏ k",
        "geven": "ɣ eː v ə n",
        "bezig": "b eː z ə x",
        "gelijk": "ɣ ə l ɛ͡i k",
        "eindelijk": "ɛ͡i n d ə l ə k",
        "ongeluk": "ɔ n ɣ ə l ʏ k",
        "aangekomen": "aː n ɣ ə k oː m ə n",
        "aangeven": "aː n ɣ eː v ə n",
        "kinderen": "k ɪ n d ə r ə n",
        "onderwijs": "ɔ n d ə r ʋ ɛ͡i s",
        "vers": "v ɛ r s",
        "computer": "k ɔ m p j u t ə r",
        "garage": "ɣ aː r aː ʒ ə",
        "logisch": "l oː ɣ i s",
        "actie": "ɑ k s i",
        "auto's": "ɑ͡u t oː s",
        "foto’s": "f oː t oː s",
        "z'n": "z ə n",
    },
    "pl": {
        "chleb": "x l ɛ p",
        "szczęście": "ʂ t͡ʂ ɛ̃ ɕ t͡ɕ ɛ",
        "przyjaciel": "p ʂ ɨ j a t͡ɕ ɛ l",
        "dąb": "d ɔ m p",
        "woda": "v ɔ d a",
        "prośba": "p r ɔ ʑ b a",
        "dziękuję": "d͡ʑ ɛ ŋ k u j ɛ",
        "źródło": "ʑ r u d w ɔ",
    },
    "ro": {
        "ceas": "t͡ʃ a s",
        "genunchi": "d͡ʒ e n u ŋ k i",
        "ghiocel": "ɡ j o t͡ʃ e l",
        "lupi": "l u p",
        "roșu": "r o ʃ u",
        "țară": "t͡s a r ə",
        "cheie": "k e j e",
        "doi": "d o j",
        "nou": "n o w",
        "iubesc": "j u b e s k",
        "litri": "l i t r i",
        "pâine": "p ɨ j n e",
        "iarnă": "j a r n ə",
        "floare": "f l w a r e",
    },
    "ru": {
        "хлеб": "x lʲ e p",
        "ёж": "j o ʂ",
        "сде\u0301лать": "zʲ dʲ e l ə tʲ",
        "молоко\u0301": "m ə l ɐ k o",
        "вол+ос": "v ɐ l o s",
        "кра\u0301сного": "k r a s n ə v ə",
        "боя\u0301ться": "b ɐ j a t͡s ə",
        "жизнь": "ʐ ɨ zʲ nʲ",
        "счёт": "ɕː o t",
        "сего\u0301дня": "sʲ ɪ v o dʲ nʲ ə",
        "мать": "m a tʲ",
    },
    "tr": {"çocuk": "t͡ʃ o d͡ʒ u k", "ağaç": "a a t͡ʃ", "İstanbul": "i s t a n b u l", "ışık": "ɯ ʃ ɯ k"},
    "fr": {
        "oiseaux": "w a z o",
        "grenouille": "ɡ ʁ ə n u j",
        "accueillir": "a k œ j i ʁ",
        "question": "k ɛ s t j ɔ̃",
        "attention": "a t ɑ̃ s j ɔ̃",
        "bonhomme": "b ɔ n ɔ m",
        "évidemment": "e v i d a m ɑ̃",
        "gouvernement": "ɡ u v ɛ ʁ n ə m ɑ̃",
        "parlent": "p a ʁ l",
        "longtemps": "l ɔ̃ t ɑ̃",
        "aujourd’hui": "o ʒ u ʁ d ɥ i",
        "qu'est-ce": "k ɛ s",
        "chrétien": "k ʁ e t j ɛ̃",
        "pigeon": "p i ʒ ɔ̃",
        "exemple": "ɛ ɡ z ɑ̃ p l",
        "oublier": "u b l i j e",
        "parfum": "p a ʁ f œ̃",
        "vingt-deux": "v ɛ̃ t d ø",
    },
    "hr": {
        "vrijeme": "ʋ r i j e m e",
        "čovjek": "t͡ʃ o ʋ j e k",
        "ljubav": "ʎ u b a ʋ",
        "njegov": "ɲ e ɡ o ʋ",
        "kuća": "k u t͡ɕ a",
        "đak": "d͡ʑ a k",
        "džep": "d͡ʒ e p",
        "prst": "p r̩ s t",
        "hrvatski": "x r̩ ʋ a t s k i",
        "rđa": "r̩ d͡ʑ a",
        "masakr": "m a s a k r̩",
        "bicikl": "b i t͡s i k l̩",
        "umro": "u m r̩ o",
        "predsjednik": "p r e t s j e d n i k",
        "nadživjeti": "n a d ʒ i ʋ j e t i",
        "injekcija": "i n j e k t͡s i j a",
        "banka": "b a ŋ k a",
        "šešir": "ʃ e ʃ i r",
    },
    "hu": {
        "magyar": "m ɒ ɟ ɒ r",
        "gyerek": "ɟ ɛ r ɛ k",
        "hosszú": "h o sː uː",
        "könnyű": "k ø ɲː yː",
        "lyuk": "j u k",
        "meggy": "m ɛ ɟː",
        "dzsungel": "d͡ʒ u ŋ ɡ ɛ l",
        "látja": "l aː cː ɒ",
        "mondja": "m o ɲ ɟ ɒ",
        "barátság": "b ɒ r aː t͡ʃː aː ɡ",
        "tetszik": "t ɛ t͡sː i k",
        "rendszer": "r ɛ n t͡s ɛ r",
        "egészség": "ɛ ɡ eː ʃː eː ɡ",
        "igazság": "i ɡ ɒ ʃː aː ɡ",
        "népdal": "n eː b d ɒ l",
        "hatvan": "h ɒ t v ɒ n",
        "vízszint": "v iː sː i n t",
        "azonban": "ɒ z o m b ɒ n",
    },
    "id": {
        "nyanyi": "ɲ a ɲ i",
        "tunggu": "t u ŋ ɡ u",
        "bunga": "b u ŋ a",
        "cinta": "t͡ʃ i n t a",
        "masyarakat": "m a ʃ a r a k a t",
        "khusus": "x u s u s",
        "jauh": "d͡ʒ a u h",
        "pulau": "p u l a͡u",
        "pantai": "p a n t a͡i",
        "baik": "b a i k",
        "dengan": "d ə ŋ a n",
        "merah": "m e r a h",
        "mereka": "m ə r e k a",
        "sekolah": "s ə k o l a h",
        "besok": "b e s o k",
        "boleh": "b o l e h",
        "bank": "b a ŋ k",
        "yang": "j a ŋ",
    },
    "pt": {
        "cidade": "s i d a d͡ʒ i",
        "noite": "n o j t͡ʃ i",
        "trabalho": "t ɾ a b a ʎ u",
        "carro": "k a ʁ u",
        "exame": "e z ɐ̃ m i",
        "texto": "t e s t u",
        "táxi": "t a k s i",
        "próximo": "p ɾ ɔ s i m u",
        "mesmo": "m e z m u",
        "guerra": "ɡ ɛ ʁ a",
        "linguística": "l ĩ ɡ w i s t͡ʃ i k a",
        "coração": "k o ɾ a s ɐ̃ w̃",
        "homens": "o m ẽ j̃ s",
        "história": "i s t ɔ ɾ j a",
        "Brasil": "b ɾ a z i w",
        "famoso": "f a m o z u",
        "famosa": "f a m ɔ z a",
        "tranquilo": "t ɾ ɐ̃ k w i l u",
    },
    "sk": {
        "deň": "ɟ ɛ ɲ",
        "dieťa": "ɟ i͡ɛ c a",
        "nôž": "n u͡ɔ ʃ",
        "päť": "p ɛ c",
        "ľudia": "ʎ u ɟ i͡a",
        "chlieb": "x l i͡ɛ p",
        "vĺča": "v l̩ː t͡ʃ a",
        "štvrť": "ʃ t v r̩ c",
        "pravda": "p r a w d a",
        "však": "f ʃ a k",
        "kde": "ɡ ɟ ɛ",
        "tohto": "t ɔ x t ɔ",
        "tento": "t ɛ n t ɔ",
        "peknej": "p ɛ k n ɛ j",
        "študent": "ʃ t u d ɛ n t",
        "politika": "p ɔ l i t i k a",
        "ľudský": "ʎ u t͡s k iː",
        "odznak": "ɔ d z n a k",
    },
    "sl": {
        "človek": "t͡ʃ l o ʋ ɛ k",
        "življenje": "ʒ i w l j e n j ɛ",
        "volk": "ʋ o w k",
        "rekel": "r e k ə w",
        "konec": "k o n ə t͡s",
        "vrt": "ʋ ə r t",
        "rdeč": "ə r d e t͡ʃ",
        "avto": "a w t ɔ",
        "mesto": "m e s t ɔ",
        "konj": "k o n",
        "zob": "z o p",
        "glasba": "ɡ l a z b a",
        "kdo": "ɡ d ɔ",
        "predsednik": "p r ɛ t s e d n i k",
        "možnosti": "m o ʒ n ɔ s t i",
        "vprašati": "u p r a ʃ a t i",
        "izčrpan": "i ʃ t͡ʃ ə r p a n",
        "hotel": "x ɔ t ɛ l",
    },
    "sr": {
        "реч": "r e t͡ʃ",
        "љубав": "ʎ u b a ʋ",
        "njegov": "ɲ e ɡ o ʋ",
        "његов": "ɲ e ɡ o ʋ",
        "ђак": "d͡ʑ a k",
        "џеп": "d͡ʒ e p",
        "džep": "d͡ʒ e p",
        "кућа": "k u t͡ɕ a",
        "прст": "p r̩ s t",
        "рђа": "r̩ d͡ʑ a",
        "хлеб": "x l e b",
        "Београд": "b e o ɡ r a d",
        "председник": "p r e t s e d n i k",
        "надживети": "n a d ʒ i ʋ e t i",
        "инјекција": "i n j e k t͡s i j a",
        "injekcija": "i n j e k t͡s i j a",
        "банка": "b a ŋ k a",
        "život": "ʒ i ʋ o t",
    },
    "uk": {
        "життя": "ʒ ɪ tʲː a",
        "щастя": "ʃ t͡ʃ a sʲ tʲ a",
        "просьба": "p r ɔ zʲ b a",
        "вокзал": "ʋ ɔ ɡ z a l",
        "ґанок": "ɡ a n ɔ k",
        "дзвін": "d͡z ʋ i n",
        "бджола": "b d͡ʒ ɔ l a",
        "п'ять": "p j a tʲ",
        "п’ять": "p j a tʲ",
        "вовк": "ʋ ɔ w k",
        "сміється": "sʲ m i j ɛ t͡sʲː a",
        "смієшся": "sʲ m i j ɛ sʲː a",
        "сніг": "sʲ nʲ i ɦ",
        "їжак": "j i ʒ a k",
        "розказати": "r ɔ s k a z a t ɪ",
        "дуб": "d u b",
        "знання": "z n a nʲː a",
        "легко": "l ɛ x k ɔ",
    },
}


def first(language, word):
    return " ".join(SpellingRules.load(language).pronounce(word, 1)[0].phones)


@pytest.mark.parametrize("language", sorted(REFERENCES))
def test_words_are_said_as_dictionaries_have_them(language):
    said = {word: first(language, word) for word in REFERENCES[language]}
    assert said == REFERENCES[language]


@pytest.mark.parametrize("language", sorted(set(rule_languages()) & {path.name for path in LEXICONS.iterdir()}))
def test_every_word_of_the_languages_dictionary_is_among_the_guesses(language):
    rules = SpellingRules.load(language)
    for word, options in Lexicon.load(LEXICONS / language / "lexicon.txt").entries.items():
        guesses = [option.phones for option in rules.pronounce(word, 10)]
        assert any(option.phones in guesses for option in options), word


@pytest.mark.parametrize("language", rule_languages())
def test_words_with_an_entry_of_their_own_are_said_so(language):
    rules = SpellingRules.load(language)
    for word, known in rules.rules.words.items():
        said = {option.phones for option in rules.pronounce(word, 9)}
        assert said == {tuple(phones) for phones in known}, word
    assert first("ru", "много") == "m n o ɡ ə"


def test_stress_is_tried_near_the_middle_of_long_words_only():
    options = SpellingRules.load("ru").pronounce("ха" * 500, 1000)
    assert len(options) == 16 and sum(option.probability for option in options) == pytest.approx(1)


def test_there_are_rules_for_these_languages():
    assert {"de", "es", "fi", "it", "pl", "ru", "tr"} <= set(rule_languages())
    assert SpellingRules.load("de-AT").language == "de"
    assert "German's spelling rules" in SpellingRules.load("de").caution


def test_ways_to_say_a_word_share_its_probability():
    castilian, american = SpellingRules.load("es").pronounce("zapato")
    assert castilian.phones == ("θ", "a", "p", "a", "t", "o") and american.phones[0] == "s"
    assert castilian.probability == american.probability == 0.5
    assert [option.probability for option in SpellingRules.load("es").pronounce("mano")] == [1.0]


def test_stress_that_is_not_written_is_tried_everywhere_and_most_likely_in_the_middle():
    options = SpellingRules.load("ru").pronounce("корова", 10)
    assert [" ".join(option.phones) for option in options] == ["k ɐ r o v ə", "k o r ə v ə", "k ə r ɐ v a"]
    assert [option.probability for option in options] == pytest.approx([0.5, 0.25, 0.25])


@pytest.mark.parametrize("language", rule_languages())
@given(data=st.data())
def test_any_word_of_the_alphabet_is_phones_or_one_clear_error(language, data):
    rules = SpellingRules.load(language)
    letters = sorted({letter for what in rules.rules.letters for letter in what if letter.islower()})
    word = data.draw(st.text(letters, min_size=1, max_size=12))
    try:
        options = rules.pronounce(word, 5)
    except LexiconError as error:
        assert f"'{word}'" in str(error) and "PHONES" in str(error)
        return
    probabilities = [option.probability for option in options]
    assert probabilities == sorted(probabilities, reverse=True) and 0.0 < sum(probabilities) <= 1.0 + 1e-9
    assert len({option.phones for option in options}) == len(options)
    for option in options:
        assert all(split_ipa(phone) == [phone] for phone in option.phones)


def test_what_cannot_be_read_is_one_clear_error():
    rules = SpellingRules.load("es")
    for word, message in {
        "a1": "'a1' has digits in it; write it in letters, as it is spoken",
        "--": "'--': no letters in it that could be pronounced; write '--=PHONES'",
        "шaщ": "'шaщ': the rules of Spanish do not know 'ш', 'щ' there; write 'шaщ=PHONES'",
        "h": "'h': the rules of Spanish give it no phones; write 'h=PHONES'",
    }.items():
        with pytest.raises(LexiconError) as error:
            rules.pronounce(word)
        assert str(error.value) == message
    known = " ".join(rule_languages())
    with pytest.raises(LexiconError, match=f"no spelling rules for the language 'xx'; there are rules for {known}"):
        SpellingRules.load("xx")


def test_case_composition_and_punctuation_make_no_difference():
    rules = SpellingRules.load("es")
    assert rules.pronounce("NIÑO") == rules.pronounce("nin\u0303o") == rules.pronounce("ni-ño")


def test_the_files_of_rules_are_there():
    assert {path.stem for path in FOLDER.glob("*.rules")} == set(rule_languages())


def test_pages_that_list_the_languages_list_them_all():
    root = Path(__file__).parents[2]
    for page in [root / "README.md", *root.glob("docs/**/*.md"), *root.glob("recipes/**/*.md")]:
        for listed in re.findall(r"\b(?:be|de)(?:[| ][a-z]{2}\b){5,}", page.read_text(encoding="utf-8")):
            assert tuple(re.split("[| ]", listed)) == rule_languages(), page

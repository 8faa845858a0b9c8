"""Files that are nearly right, through every reader of text: an error of ours or a right result, never a traceback."""

import contextlib
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from mutations import files_like

import speechtl
from speechtl.data.ctm import read_ctm, write_ctm
from speechtl.data.datadir import DataDir
from speechtl.data.tables import read_table, write_table
from speechtl.errors import SpeechtlError
from speechtl.g2p.spelling_rules import SpellingRules
from speechtl.grammar.coverage import tell_coverage
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.read import read_grammar, read_language_model
from speechtl.grammar.sentences import read_sentences, read_words
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.phone_mapping import map_lexicon

LEXICONS = [
    "she ʃ i\nshe(2) ʃ ə\nturn t ɝ n\n字 t͡sʰ ɨ˥˩\nice ˈa͡ɪ s\n<unk> spn\n".encode(),
    "yes\t0.99\t0.16\t1.09\t0.99\tj ɛ s\nno\tn ow\nno\t0.2\tn ə\n".encode(),
    "yes 0.9 0.3 1.1 0.98 j ɛ s\nno 1.0 0.2 1.2 0.9 n o\n".encode(),
    b"!SIL SIL\n<UNK> SPN\nYES Y EH1 S # as in\n;;; CMU\nREAD R EH1 D\nREAD(2) R IY1 D\n",
    b"zehn t_s e: n\nOel 2: l\nacht A x t\n",
]
ARPA = b"""\\data\\
ngram 1=5
ngram 2=2
ngram  3=        0

\\1-grams:
-1.5\t<unk>
-99\t<s>\t-0.3
-1.0\t</s>
-0.6\tshe\t-0.2
-0.7\tturn\t-0.2

\\2-grams:
-0.3\tshe turn
-0.2\tturn </s>

\\end\\
"""
JSGF = [
    b"#JSGF V1.0 UTF-8 en;\ngrammar g;\nimport <other.x>;\n/** says */ public <s> = [please] /0.3/ she (turn)+ {tag}\n"
    b' | /0.7/ "turn off" <n>*;\n<n> = a | b <NULL>;\n',
    b"#JSGF V1.0;\ngrammar t;\npublic <x> = stop that | she turn <x>;\n",
]
FST = [b"0 1 she she 0.5\n1 2 <eps> <eps>\n2 0 turn turn 1.5\n2 0.25\n", b"0 1 she 0.5\n1\n"]
CTM = b";; comment\ns-1 1 0.00 0.25 she 0.93\ns-1 1 0.25 0.5 turn\nr2 A 1 0.1 stop 1.0\n"
PHONES = b"<blk> 0\na 1\ni 2\nk 3\n\xca\x83 4\n"
TABLES = {
    "wav.scp": b"r1 one.wav\nr2 sox two.flac -t wav - |\n",
    "segments": b"s-1 r1 0.0 1.5\ns-2 r1 1.5 -1\nt-1 r2 0 2.25\n",
    "utt2spk": b"s-1 s\ns-2 s\nt-1 t\n",
    "spk2utt": b"s s-1 s-2\nt t-1\n",
    "text": b"s-1 she turn\ns-2 stop\nt-1 she\n",
    "utt2dur": b"s-1 1.5\ns-2 2\nt-1 2.25\n",
    "spk2gender": b"s f\nt m\n",
    "reco2file_and_channel": b"r1 one A\nr2 two 1\n",
    "feats.scp": b"s-1 feats.ark:14\ns-2 feats.ark:300[0:5]\n",
}
RULES = (Path(speechtl.__file__).parent / "g2p" / "rules" / "it.rules").read_bytes()

fuzzed = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
refused = contextlib.suppress(SpeechtlError)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("nearly")


def written(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("notation", ["ipa", "arpabet", "xsampa"])
@fuzzed
@given(content=files_like(*LEXICONS))
def test_lexicons(folder, notation, content):
    for name in ("lexicon.txt", "lexiconp.txt"):
        with refused:
            lexicon = Lexicon.load(written(folder / name, content), notation, tone="keep")
            assert all(variants and all(one.phones for one in variants) for variants in lexicon.entries.values())
            lexicon.save(folder / "again.txt", any_name=True)
            assert Lexicon.load(folder / "again.txt") == lexicon
            inventory = PhoneInventory(["a", "i", "k", "ʃ", "t͡ʃ"])
            mapped, _ = map_lexicon(lexicon, inventory)
            assert not mapped.check(inventory)
    with refused:
        read_words(folder / "lexicon.txt")


@fuzzed
@given(content=files_like(PHONES))
@example(content=PHONES + b"u 9999999999999999999\n")
def test_phone_tables(folder, content):
    with refused:
        inventory = PhoneInventory.load(written(folder / "phones.txt", content))
        inventory.save(folder / "again.txt")
        assert PhoneInventory.load(folder / "again.txt") == inventory


@fuzzed
@given(content=files_like(ARPA))
def test_language_models(folder, content):
    with refused:
        model = read_language_model(written(folder / "lm", content))
        assert all(value[0] <= 1e-4 and math.isfinite(value[0] + value[1]) for _, value in model.ngrams())
        assert model.log10_probability("turn", ["<s>", "she"]) <= 20 * len(model)
        model.write_arpa(folder / "again.arpa")
        again = dict(NgramModel.read_arpa(folder / "again.arpa").ngrams())
        assert again == {ngram: pytest.approx(value, rel=1e-6) for ngram, value in model.ngrams()}
        WordGraph.ngrams(model).arrays(1.0)
        lexicon = Lexicon()
        lexicon.add("turn", ["a"])
        tell_coverage(model, lexicon, "lm")


@fuzzed
@given(content=files_like(*JSGF, *FST))
def test_grammars(folder, content):
    with refused:
        graph = read_grammar(written(folder / "grammar", content))
        arrays = graph.arrays(1.0)
        assert not np.isnan(arrays.final).any()
        lexicon = Lexicon()
        lexicon.add("turn", ["a"])
        tell_coverage(graph, lexicon, "grammar")


@fuzzed
@given(content=files_like(CTM))
def test_ctm(folder, content):
    data = DataDir(folder, wav_scp={"s-1": "a.wav", "r2": "b.wav"}, utt2spk={"s-1": "s", "r2": "r"})
    with refused:
        found = read_ctm(written(folder / "ctm", content), data)
        labels = [one for labels in found.values() for one in labels]
        assert all(0 <= one.start <= one.end < math.inf for one in labels)
        write_ctm(folder / "again", found, data)
        assert sum(map(len, read_ctm(folder / "again", data).values())) == len(labels)


@fuzzed
@given(content=files_like(*TABLES.values()))
def test_tables(folder, content):
    with refused:
        table = read_table(written(folder / "table", content))
        write_table(folder / "again", table)
        assert read_table(folder / "again") == table
    for layout in ("kaldi", "plain"):
        with refused:
            assert all(all(words) for words in read_sentences(folder / "table", layout))


@pytest.mark.parametrize("name", TABLES)
@settings(fuzzed, max_examples=25)
@given(content=files_like(*TABLES.values()))
def test_data_directories(folder, name, content):
    place = folder / "data"
    place.mkdir(exist_ok=True)
    for table, right in TABLES.items():
        written(place / table, right)
    written(place / name, content)
    with refused:
        data = DataDir.load(place)
        data.save(folder / "again")
        assert DataDir.load(folder / "again").utt2spk == data.utt2spk


@fuzzed
@given(content=files_like(RULES))
def test_spelling_rules(folder, content):
    with refused:
        rules = SpellingRules.load("xx", written(folder / "xx.rules", content))
        rules.pronounce("chaque", 3)

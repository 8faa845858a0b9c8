"""Words of English in the package: the trie that they are made from, the pruning, and what comes out."""

import gzip
import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from speechtl.grammar.ngram_model import NgramModel
from speechtl.lang.dictionaries import build_english, english_dictionary_path
from speechtl.pretrained import named_models

LOCAL = Path(__file__).resolve().parents[2] / "recipes" / "base" / "local"
# pocketsphinx asks in the other order, last word first, and does not survive the end of Python.
ASK = """
import json, math, os, sys
from pocketsphinx import Config, LogMath, NGramModel
config, math_of_logs = Config(loglevel="FATAL"), LogMath()
model = NGramModel(config, math_of_logs, sys.argv[1])
print(json.dumps([math.log10(1.0001) * model.prob(words[::-1]) for words in json.loads(sys.argv[2])]), flush=True)
os._exit(0)
"""


def load(script):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(LOCAL))
        return runpy.run_path(str(LOCAL / script))


def test_the_trie_is_read_as_pocketsphinx_reads_it():
    path = english_dictionary_path().with_name("en-us.lm.bin")
    model = load("sphinx_trie.py")["read_sphinx_trie"](path)
    assert len(model.words) == len(set(model.words)) == 72547 and {"<s>", "</s>", "hello"} <= set(model.words)
    rng = np.random.default_rng(1)
    two, three = rng.integers(len(model.bigrams), size=40), rng.integers(len(model.trigrams), size=40)
    asked = [[model.words[index] for index in row] for row in (*model.bigrams[two], *model.trigrams[three])]
    output = subprocess.run([sys.executable, "-c", ASK, path, json.dumps(asked)], capture_output=True, check=True)
    expected = json.loads(output.stdout)
    np.testing.assert_allclose([*model.bigram_values[two, 0], *model.trigram_values[three]], expected, atol=2e-4)


def test_pruning_keeps_probabilities_that_sum_to_one(tmp_path):
    script = load("english_lm.py")
    rng = np.random.default_rng(2)
    words = ["<s>", "</s>", *"abcdefgh"]
    count = len(words)
    pairs = np.array([(first, second) for first in range(count) for second in range(1, count) if first != 1])
    chosen = pairs[np.sort(rng.permutation(len(pairs))[:50])]
    triples = np.array([(first, *pair) for pair in chosen if pair[0] > 1 for first in (0, 2, 3)])
    known = {tuple(pair) for pair in chosen}
    triples = np.array([triple for triple in triples if tuple(triple[:2]) in known])

    def random_logs(size, share):
        return np.log10(rng.uniform(0.2, 1, size) * share)

    unigrams = np.stack([random_logs(count, 1 / count), random_logs(count, 1.0)], axis=1)
    tables = script["prune"](
        words,
        unigrams,
        chosen,
        np.stack([random_logs(len(chosen), 0.1), random_logs(len(chosen), 1.0)], axis=1),
        triples,
        random_logs(len(triples), 0.1),
        (30, 15),
        0.02,
    )
    assert [len(ngrams) for ngrams, _, _ in tables][1:] == [30, 15]
    (tmp_path / "lm.arpa").write_text("\n".join(script["arpa_lines"](words, tables, 0.02)) + "\n")
    model = NgramModel.read_arpa(tmp_path / "lm.arpa")
    vocabulary = [word for word in (*words, "<unk>") if word != "<s>"]
    for history in ([], ["<s>"], ["a"], *([words[i] for i in row] for row in tables[1][0] if row[1] != 1)):
        total = sum(10 ** model.log10_probability(word, history) for word in vocabulary)
        # Values have two decimals, an error of 1.2 % at most each.
        assert abs(total - 1) < 0.03, history


def test_what_comes_with_the_package(tmp_path):
    folder = named_models.WORDS / "en"
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert sizes.keys() == {"LICENSE", "lexicon.txt.gz", "lm.arpa.gz"}
    assert sizes["lexicon.txt.gz"] < 1.5e6 and sizes["lm.arpa.gz"] < 3e6
    build_english().save(tmp_path / "lexicon.txt")
    assert gzip.decompress((folder / "lexicon.txt.gz").read_bytes()) == (tmp_path / "lexicon.txt").read_bytes()
    model = NgramModel.read_arpa(folder / "lm.arpa.gz")
    dictionary = {line.split()[0] for line in (tmp_path / "lexicon.txt").read_text().splitlines()}
    assert model.vocabulary - dictionary == {"<s>", "</s>", "<unk>"}
    assert model.log10_probability("the", ["of"]) > model.log10_probability("of", ["the"]) + 1

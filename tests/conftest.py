import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import pytest
from invented_corpus import config_maker, corpus_maker, write_lexicon

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("speechtl", deadline=None)
hypothesis.settings.load_profile("speechtl")


@pytest.fixture(autouse=True, scope="session")
def user_cache(tmp_path_factory):
    """Keep what tests compute or import out of the cache of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("SPEECHTL_CACHE", str(folder))
        yield folder


@pytest.fixture
def make_corpus(tmp_path):
    return corpus_maker(tmp_path)


@pytest.fixture
def lexicon_file(tmp_path):
    return write_lexicon(tmp_path / "lexicon.txt")


@pytest.fixture
def make_config(make_corpus, lexicon_file, tmp_path):
    return config_maker(tmp_path, make_corpus, lexicon_file)


@pytest.fixture(scope="module")
def shared_config_maker(tmp_path_factory):
    """Return a folder that all tests of a module share, and what `make_config` returns, working there."""
    root = tmp_path_factory.mktemp("shared")
    return root, config_maker(root, corpus_maker(root), write_lexicon(root / "lexicon.txt"))


@pytest.fixture(scope="module")
def shared_corpus_maker(shared_config_maker):
    """Return what `make_corpus` returns, working in the folder that all tests of a module share."""
    return corpus_maker(shared_config_maker[0])


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """Return the directory of a small trained experiment that many tests start from; it is only read."""
    from training_runs import SHORT

    from speechtl.experiment.config import load_config
    from speechtl.experiment.train import train

    root = tmp_path_factory.mktemp("source")
    make_config = config_maker(root, corpus_maker(root), write_lexicon(root / "lexicon.txt"))
    train(load_config(make_config(), SHORT), root / "source")
    return root / "source"

import pytest
from whistled_speech import train_on_whistles


@pytest.fixture(scope="session")
def experiment(tmp_path_factory):
    """Return the directory of a trained experiment with a lexicon, language "xx", normalised by speaker."""
    return train_on_whistles(tmp_path_factory.mktemp("whistle"))

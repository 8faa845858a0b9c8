import numpy as np
import pytest
import soundfile
from served_folder import served
from training_runs import assert_same, train_killed, weights
from whistled_speech import RATE, WORDS, whistle

from speechtl.config import parse
from speechtl.data.datadir import DataDir
from speechtl.data.shard import shard
from speechtl.experiment.config import ExperimentConfig
from speechtl.experiment.train import train


@pytest.fixture
def config(tmp_path):
    """Return a function from the place of the shards to a config."""
    rng = np.random.default_rng(0)
    data = DataDir(tmp_path / "data")
    for number in range(14):
        name, path = f"s{number % 2}-{number:02d}", tmp_path / f"{number}.flac"
        data.text[name], data.utt2spk[name] = " ".join(rng.choice(sorted(WORDS), 2)), f"s{number % 2}"
        soundfile.write(path, whistle(data.text[name], number, gap=0.1)[0], RATE)
        data.wav_scp[name] = str(path)
    shard(data, tmp_path / "shards", megabytes=0.02)
    assert 4 < len(list((tmp_path / "shards").glob("*.tar"))) < 14
    (tmp_path / "lexicon.txt").write_text("".join(f"{word} {said[0]}\n" for word, said in WORDS.items()))

    def make(place):
        table = {
            "data": [{"language": "xx", "train": place, "lexicon": str(tmp_path / "lexicon.txt")}],
            "features": {"sample_rate": RATE, "num_mel_bins": 12},
            "normalisation": {"kind": "global"},
            "model": {"encoder": {"kind": "tdnn", "size": 16, "dilations": [1], "subsampling": {"factor": 2}}},
            "batches": {"frames": 200, "shuffle_pool": 4, "shards": 2},
            "training": {"epochs": 2, "average": 1, "checkpoint_minutes": 1e-6},
        }
        return parse(ExperimentConfig, table, "conf.toml")

    return make


def test_a_run_killed_in_the_middle_of_a_shard_continues_to_the_same_weights(config, tmp_path):
    train(config(str(tmp_path / "shards")), tmp_path / "whole")
    with served(tmp_path) as address:
        train_killed(config(f"{address}/shards"), tmp_path / "killed", 3)
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))

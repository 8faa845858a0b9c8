"""What ``speechtl align`` prints and refuses; posteriors are known, in place of a model."""

import types

import numpy as np
import pytest
import soundfile
from command_line import verb

from speechtl.batches.stored_batch import StoredUtterance
from speechtl.data.datadir import DataDir
from speechtl.decoding.config import DecodingConfig
from speechtl.errors import ConfigError, LexiconError
from speechtl.features.archives import write_ark_scp
from speechtl.features.config import FeatureConfig
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.recognition import forced_alignment

PHONES = PhoneInventory(["a", "k"])
FRAMES = 30


@pytest.fixture
def experiment(tmp_path):
    """A stand-in for an experiment: "ka" is spoken in frames 4 and 6 of the posteriors."""
    posteriors = np.full((FRAMES // 3, 3), 0.02)
    posteriors[:, 0] = 0.96
    posteriors[[4, 6]] = [[0.02, 0.02, 0.96], [0.02, 0.96, 0.02]]
    lexicon = Lexicon()
    lexicon.add("ka", ["k", "a"])
    return types.SimpleNamespace(
        directory=types.SimpleNamespace(
            lexicon=lambda language: tmp_path / "conf.txt",
            own_lexicon=lambda language: lexicon,
            decoding_config=DecodingConfig,
        ),
        features=FeatureConfig(num_mel_bins=4),
        model=types.SimpleNamespace(subsampling=3),
        subsampling=3,
        frame_shift=0.03,
        language=lambda name: name or "xx",
        inventory=lambda language: PHONES,
        plan=lambda data: [(StoredUtterance("s-1", "", "", FRAMES), StoredUtterance("s-2", "", "", FRAMES))],
        posteriors_of_stored=lambda batch, language: iter([(one.id, np.log(posteriors)) for one in batch]),
    )


@pytest.fixture
def align(tmp_path, monkeypatch, experiment):
    with write_ark_scp(tmp_path / "feats.ark", tmp_path / "feats.scp") as write:
        noise = np.random.default_rng(0).normal(size=(FRAMES, 4)).astype(np.float32)
        places = {key: write(key, noise) for key in ("s-1", "s-2")}
    (tmp_path / "conf.txt").touch()
    monkeypatch.setattr(forced_alignment, "load_model", lambda path, speaker: experiment)

    def run(text="ka", **options):
        data = DataDir(tmp_path / "data", utt2spk=dict.fromkeys(places, "s"))
        data.wav_scp, data.feats_scp, data.text = dict.fromkeys(places, "x.wav"), places, {"s-1": "ka", "s-2": text}
        data.save(tmp_path / "data")
        assert verb("align", tmp_path / "exp", tmp_path / "data", tmp_path / "out", **options) == 0

    return run


def test_what_is_printed(align, tmp_path, capsys):
    align(refine="never")
    printed = "2 utterances, 0.0 minutes, boundaries of the model, not refined"
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: {printed}\n"
    assert (tmp_path / "out/ctm").exists() and (tmp_path / "out/textgrid/s-1.TextGrid").exists()
    align(refine="always")
    assert "boundaries refined on this speech\n" in capsys.readouterr().out


def test_auto_says_why_it_does_not_refine(align, capsys):
    align()
    assert "not refined (less than" in capsys.readouterr().out


def test_what_cannot_be_aligned_is_listed(align, capsys):
    align(text="ka ko", refine="never")
    printed = capsys.readouterr()
    assert "1 utterance, " in printed.out
    assert printed.err.startswith("warning: ") and "1 utterance could not be aligned" in printed.err
    assert "s-2: 'ko' is not in the lexicon" in printed.err


def test_mistakes(align, experiment, tmp_path):
    with pytest.raises(ConfigError, match="leave --lexicon and --add-word out"):
        align(phones=True, lexicon=tmp_path / "l.txt")

    (tmp_path / "conf.txt").unlink()
    with pytest.raises(
        LexiconError,
        match=r"comes without words of .*; .*or align transcripts of phones with --phones",
    ):
        align()
    assert not (tmp_path / "out").exists()


def test_spectrograms_are_drawn_of_the_utterances_that_are_named(align, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "x.wav", np.random.default_rng(0).normal(0, 0.1, 4800), 16000)
    monkeypatch.chdir(tmp_path)
    align(refine="never", plot="s-2")
    assert [path.name for path in (tmp_path / "out/plots").iterdir()] == ["s-2.png"]
    align(refine="never", plot="2")
    assert sorted(path.name for path in (tmp_path / "out/plots").iterdir()) == ["s-1.png", "s-2.png"]

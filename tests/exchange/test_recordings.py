import numpy as np
import pytest
import soundfile

import speechtl
from speechtl.data.datadir import DataDir
from speechtl.errors import ConfigError, DataError, ModelError
from speechtl.exchange.read_source import read_tables
from speechtl.exchange.recordings import LONGEST, read_recordings, recordings_to_recognise
from speechtl.features.archives import read_double_matrix, read_matrix
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig

CONFIG = FeatureConfig(num_mel_bins=12)


def write_audio(path, seconds=0.5, rate=16000, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).normal(0, 0.1, int(seconds * rate)), rate)


def test_a_folder_of_audio_with_texts_beside_it(tmp_path):
    folder = tmp_path / "anna"
    write_audio(folder / "one.wav")
    write_audio(folder / "day two" / "second take.flac", rate=8000)
    write_audio(folder / "three.wav")
    (folder / "one.txt").write_text("tak  sit\n")
    (folder / "day two" / "second take.lab").write_text("﻿kus", encoding="utf-8")
    data = read_tables(folder)
    assert data.text == {"anna-one": "tak sit", "anna-day-two-second-take": "kus"}
    assert set(data.utt2spk.values()) == {"anna"} and len(data) == 3
    found = read_recordings(folder, tmp_path / "out" / "data", CONFIG)
    assert found.left_out == {"anna-three": "no transcript"}
    assert found.data.utterance_ids == ["anna-day-two-second-take", "anna-one"]
    assert found.data.feats_scp.keys() == found.data.text.keys() and "anna" in found.data.cmvn_scp
    everything = read_recordings(folder, tmp_path / "all", CONFIG, need_text=False)
    assert len(everything.data) == 3 and not everything.left_out


def test_what_is_hidden_is_no_recording(tmp_path):
    """macOS puts ``._one.wav`` beside one.wav, or into ``__MACOSX``, when a folder is packed or copied."""
    folder = tmp_path / "anna"
    write_audio(folder / "one.wav")
    (folder / "one.txt").write_text("tak")
    for place in ("._one.wav", "._one.txt", "__MACOSX/anna/._one.wav", ".trash/old.wav", ".trash/old.txt"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(b"\0\5\x16\7")
    found = read_recordings(folder, tmp_path / "out", CONFIG)
    assert found.data.text == {"anna-one": "tak"} and not found.left_out


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "file,text\na.wav,tak sit\nb.wav,kus\n"),
        ("t.csv", "a.wav,tak sit\n\nb.wav,kus\n"),
        ("t.tsv", "a.wav\ttak sit\nb.wav\tkus\n"),
        ("t.csv", "a.wav|tak sit\nb.wav|kus\n"),
        ("t.csv", 'audio;speaker;text\n"a.wav";t;"tak sit"\nb.wav;t;kus\n'),
    ],
)
def test_a_table_of_files_and_texts(tmp_path, name, content):
    for file in ("a.wav", "b.wav"):
        write_audio(tmp_path / file)
    (tmp_path / name).write_text(content)
    data = read_tables(tmp_path / name)
    assert data.text == {"t-a": "tak sit", "t-b": "kus"}
    assert all(path.startswith("/") for path in data.wav_scp.values())


def test_problems_of_a_table_are_all_listed(tmp_path):
    write_audio(tmp_path / "a.wav")
    (tmp_path / "t.csv").write_text("file,text\na.wav,tak\nmissing.wav,sit\na.wav,kus\n,tak\n")
    with pytest.raises(DataError) as error:
        read_tables(tmp_path / "t.csv")
    assert "t.csv: 3 problems" in str(error.value)
    assert "t.csv:3: no audio file 'missing.wav'" in str(error.value)
    assert "another recording is called a, too" in str(error.value)
    assert "t.csv:5: no audio file ''" in str(error.value)


def test_a_data_directory_with_features_is_taken_as_it_is(tmp_path):
    write_audio(tmp_path / "a.wav")
    data = DataDir(tmp_path / "d", {"s-a": "s"}, {"s-a": str(tmp_path / "a.wav")}, text={"s-a": "tak"})
    data.save(tmp_path / "d")
    compute_features(DataDir.load(tmp_path / "d"), CONFIG, tmp_path / "feats")
    found = read_recordings(tmp_path / "d", tmp_path / "out", CONFIG)
    assert found.data.feats_scp == DataDir.load(tmp_path / "d").feats_scp
    assert not (tmp_path / "out" / "feats").exists()
    with pytest.raises(
        DataError, match=r"features differ from the model's in num_mel_bins; compute those of the model"
    ):
        read_recordings(tmp_path / "d", tmp_path / "other", FeatureConfig(num_mel_bins=13))


def test_what_is_of_no_use_is_left_out_with_its_reason(tmp_path):
    folder = tmp_path / "anna"
    write_audio(folder / "good.wav")
    soundfile.write(folder / "silent.wav", np.zeros(8000), 16000)
    write_audio(folder / "long.wav", seconds=2)
    (folder / "broken.wav").write_bytes(b"RIFF")
    for name in ("good", "silent", "long", "broken"):
        (folder / f"{name}.txt").write_text("tak")
    left_out = read_recordings(folder, tmp_path / "out", CONFIG, longest=1.0).left_out
    assert left_out["anna-silent"] == "silent: nothing but digital silence"
    assert left_out["anna-long"].startswith("2 s long, expected at most 1")
    assert "broken.wav" in left_out["anna-broken"] and "anna-good" not in left_out
    assert LONGEST > 20


def test_what_is_left_out_has_no_part_in_the_normalisation(tmp_path):
    for name in ("clean", "mixed"):
        for number in range(3):
            write_audio(tmp_path / name / "anna" / f"{number}.wav", seconds=0.4 + 0.1 * number)
            (tmp_path / name / "anna" / f"{number}.txt").write_text("tak")
    soundfile.write(tmp_path / "mixed" / "anna" / "silent.wav", np.zeros(8000), 16000)
    (tmp_path / "mixed" / "anna" / "silent.txt").write_text("tak")
    clean, mixed = (
        read_recordings(tmp_path / name / "anna", tmp_path / "out" / name, CONFIG).data for name in ("clean", "mixed")
    )
    first, second = (read_double_matrix(data.cmvn_scp["anna"]) for data in (clean, mixed))
    np.testing.assert_allclose(first, second, rtol=1e-12)
    # Read again as a data directory, by whoever decodes what was used.
    assert DataDir.load(tmp_path / "out" / "mixed").cmvn_scp == mixed.cmvn_scp


def test_features_of_before_stay_until_all_new_ones_are_there(tmp_path, monkeypatch):
    for name in ("old", "new"):
        write_audio(tmp_path / name / "anna" / f"{name}.wav")
        (tmp_path / name / "anna" / f"{name}.txt").write_text("tak")
    read_recordings(tmp_path / "old" / "anna", tmp_path / "out", CONFIG)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("speechtl.features.compute.compute_parts", killed)
        read_recordings(tmp_path / "new" / "anna", tmp_path / "out", CONFIG)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert read_matrix(DataDir.load(tmp_path / "out").feats_scp["anna-old"]).any()
    found = read_recordings(tmp_path / "new" / "anna", tmp_path / "out", CONFIG).data
    assert found.utterance_ids == ["anna-new"] and found.feats_scp.keys() == {"anna-new"}


def test_nothing_of_use_is_one_error(tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    with pytest.raises(DataError, match=r"anna: no recordings; give \.3gp, \.aac, \.aif"):
        read_recordings(folder, tmp_path / "out", CONFIG)
    soundfile.write(folder / "silent.wav", np.zeros(8000), 16000)
    with pytest.raises(DataError, match=r"no recording has a transcript; .*--unsupervised"):
        read_recordings(folder, tmp_path / "out", CONFIG)
    (folder / "silent.txt").write_text("tak")
    with pytest.raises(DataError, match=r"no recording is of use\n  anna-silent: silent: nothing but digital silence"):
        read_recordings(folder, tmp_path / "out", CONFIG)
    with pytest.raises(DataError, match=r"nowhere: missing; give a data directory, a folder of audio or a CSV"):
        read_recordings(tmp_path / "nowhere", tmp_path / "out", CONFIG)
    (folder / "silent.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(DataError, match=r"silent\.txt:1: not UTF-8"):
        read_recordings(folder, tmp_path / "out", CONFIG)


def test_suffixes_of_audio_and_texts_are_in_any_case(tmp_path):
    write_audio(tmp_path / "d" / "one.wav")
    (tmp_path / "d" / "one.wav").rename(tmp_path / "d" / "A.WAV")
    (tmp_path / "d" / "A.TXT").write_text("tak")
    write_audio(tmp_path / "d" / "b.wav")
    (tmp_path / "d" / "b.txt").write_text("sit")
    (tmp_path / "d" / "b.lab").write_text("kus")
    assert read_tables(tmp_path / "d").text == {"d-A": "tak", "d-b": "sit"}


def test_a_file_name_that_is_not_utf8_is_left_out(tmp_path):
    folder = tmp_path / "anna"
    write_audio(folder / "one.wav")
    (folder / "one.wav").rename(str(folder / "caf") + "\udce9.wav")
    with pytest.raises(
        DataError, match=r"no recording is of use\n  anna-caf\\xe9: .*caf\\xe9\.wav: the file name is not"
    ):
        read_recordings(folder, tmp_path / "none", CONFIG, need_text=False)
    write_audio(folder / "one.wav")
    found = read_recordings(folder, tmp_path / "out", CONFIG, need_text=False)
    assert found.data.utterance_ids == ["anna-one"] and list(found.left_out) == ["anna-caf\\xe9"]


def test_a_channel_is_chosen(tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    rng = np.random.default_rng(0)
    soundfile.write(folder / "one.wav", rng.normal(0, [0.1, 0.001], (8000, 2)), 16000)
    means = []
    for side in (0, 1):
        found = read_recordings(folder, tmp_path / str(side), CONFIG, channel=side, need_text=False)
        means.append(read_matrix(found.data.feats_scp["anna-one"]).mean())
    assert means[0] > means[1] + 6
    with pytest.raises(DataError, match="give --channel to speechtl features"):
        read_recordings(tmp_path / "0", tmp_path / "again", CONFIG, channel=1, need_text=False)


def test_mistakes_are_told_before_the_model_is_loaded(tmp_path):
    """There is none, and it is looked for last."""
    write_audio(tmp_path / "anna" / "one.wav")
    places = tmp_path / "no model", tmp_path / "anna", tmp_path / "out"
    with pytest.raises(DataError, match="nobody: missing; give a data directory, a folder of audio"):
        speechtl.adapt(places[0], tmp_path / "nobody", places[2])
    for name in ("test", "source_speech", "replay"):
        with pytest.raises(DataError, match="nobody: missing"):
            speechtl.adapt(*places, **{name: tmp_path / "nobody"})
    with pytest.raises(ConfigError, match="--method nosuch: unknown; known: fine_tuning"):
        speechtl.adapt(*places, method="nosuch")
    with pytest.raises(ConfigError, match="epoch"):
        speechtl.adapt(*places, method="lhuc", settings=["epoch=3"])
    with pytest.raises(ModelError, match="no model: not an experiment directory"):
        speechtl.adapt(*places)


def test_what_is_recognised_may_be_long_and_of_many_speakers(tmp_path):
    for name in ("anna/one", "bert/one", "bert/two"):
        write_audio(tmp_path / "talks" / f"{name}.wav")
        (tmp_path / "talks" / f"{name}.txt").write_text("tak")
    write_audio(tmp_path / "talks" / "bert" / "long.wav", seconds=LONGEST + 1, rate=8000)
    found = recordings_to_recognise(tmp_path / "talks", tmp_path / "out", CONFIG)
    assert found.data.utt2spk == {
        "anna-one": "anna",
        "bert-long": "bert",
        "bert-one": "bert",
        "bert-two": "bert",
    }
    assert found.data.feats_scp.keys() == found.data.utt2spk.keys() and not found.left_out
    # Some have no transcript, which only matters to who needs one.
    assert not found.data.text and found.text.keys() == found.data.utt2spk.keys() - {"bert-long"}
    found = recordings_to_recognise(tmp_path / "talks", tmp_path / "out", CONFIG, need_text=True)
    assert found.left_out == {"bert-long": "no transcript"}
    for path in (tmp_path / "talks").rglob("*.txt"):
        path.unlink()
    with pytest.raises(DataError, match=r"talks: no recording has a transcript; .* or into the table text$"):
        recordings_to_recognise(tmp_path / "talks", tmp_path / "out", CONFIG, need_text=True)


def test_what_has_features_is_recognised_as_it_is(tmp_path):
    write_audio(tmp_path / "a.wav")
    data = DataDir(tmp_path / "d", wav_scp={"a": str(tmp_path / "a.wav")}, utt2spk={"a": "s"}, text={"a": "tak"})
    data.save(tmp_path / "d")
    computed = recordings_to_recognise(tmp_path / "d", tmp_path / "out", CONFIG).data
    assert computed.path == tmp_path / "out" and not (tmp_path / "d" / "feats.scp").exists()
    compute_features(data, CONFIG, tmp_path / "feats")
    found = recordings_to_recognise(tmp_path / "d", tmp_path / "nothing", CONFIG).data
    assert found.path == tmp_path / "d" and not (tmp_path / "nothing").exists()
    # One is computed by TensorFlow, the other without it.
    np.testing.assert_allclose(read_matrix(found.feats_scp["a"]), read_matrix(computed.feats_scp["a"]), atol=2e-3)
    with pytest.raises(DataError, match="has features, of a channel that was chosen"):
        recordings_to_recognise(tmp_path / "d", tmp_path / "nothing", CONFIG, channel="first")

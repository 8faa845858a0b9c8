import numpy as np
import pytest
import soundfile

from speechtl.alignment.aligned_utterance import AlignedUtterance
from speechtl.data.ctm import TimedLabel
from speechtl.data.datadir import DataDir, Segment
from speechtl.errors import DataError
from speechtl.report.picture import save_picture
from speechtl.report.spectrogram import choose_utterances, draw_alignment, draw_alignments

RATE = 16000
WORDS = (TimedLabel("öne", 0.1, 0.5, 0.9), TimedLabel("two", 0.5, 0.9, 0.4))
PHONES = (TimedLabel("w", 0.1, 0.3), TimedLabel("ʌ", 0.3, 0.5), TimedLabel("t", 0.5, 0.9))


def tone(frequency, seconds=1.0, rate=RATE):
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def texts(axes):
    return [(text.get_text(), round(text.get_position()[0], 6)) for text in axes.texts]


def make_corpus(folder):
    soundfile.write(folder / "a.wav", tone(1000, 3.0), RATE)
    data = DataDir(folder, utt2spk={"s-1": "s", "s/2": "s"}, wav_scp={"r": str(folder / "a.wav")})
    data.segments = {"s-1": Segment("r", 0.0, 1.0), "s/2": Segment("r", 1.0, 3.0)}
    return data


def test_labels_stand_in_the_middle_of_their_intervals_and_the_time_is_that_of_the_audio():
    figure = draw_alignment(tone(1000), RATE, WORDS, PHONES, "id")
    top, words, phones = figure.axes
    assert texts(words) == [("öne", 0.3), ("two", 0.7)]
    assert [text for text, _ in texts(phones)] == ["w", "ʌ", "t"]
    assert top.get_xlim() == words.get_xlim() == phones.get_xlim() == (0, 1)
    assert top.get_title(loc="left") == "id"
    figure.draw_without_rendering()
    assert [label.get_text() for label in phones.get_xticklabels()][:2] == ["0", "0.1"]
    assert phones.get_xlabel() == "seconds; tinted: low confidence"
    assert [round(patch.get_alpha(), 2) for patch in words.patches] == [0.06, 0.36]


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_the_spectrogram_is_dark_where_the_energy_is(rate):
    top = draw_alignment(tone(1000, rate=rate), rate, (), PHONES).axes[0]
    (mesh,) = top.collections
    power = mesh.get_array().reshape(mesh.get_coordinates().shape[0] - 1, -1).mean(axis=1)
    centres = mesh.get_coordinates()[:, 0, 1]
    assert centres[np.argmax(power)] == pytest.approx(1000, abs=150)
    assert top.get_ylim() == (0, min(rate / 2, 8000))


def test_without_words_there_is_one_tier():
    assert len(draw_alignment(tone(500), RATE, (), PHONES).axes) == 2


def test_the_same_speech_gives_the_same_bytes(tmp_path):
    for name in "ab":
        save_picture(draw_alignment(tone(500), RATE, WORDS, PHONES), tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_utterances_of_a_corpus_are_drawn_into_a_folder(tmp_path):
    data = make_corpus(tmp_path)
    aligned = {name: AlignedUtterance(WORDS, PHONES, 0.0, 100, 1.0, False) for name in data.utt2spk}
    paths = draw_alignments(data, aligned, choose_utterances(data, "5"), tmp_path / "ali")
    assert paths == [tmp_path / "ali" / "plots" / name for name in ("s-1.png", "s%2F2.png")]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert draw_alignments(data, {}, ["s-1"], tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_what_is_to_be_drawn_is_a_number_or_names(tmp_path):
    data = make_corpus(tmp_path)
    assert choose_utterances(data, "0") == []
    assert choose_utterances(data, "1") == ["s-1"]
    assert choose_utterances(data, "s/2,s-1") == ["s/2", "s-1"]
    with pytest.raises(DataError, match=r"--plot x,y(.|\n)*no utterance 'x'(.|\n)*no utterance 'y'"):
        choose_utterances(data, "x,y")
    data.wav_scp = {}
    with pytest.raises(DataError, match=r"utterance 's-1' has no audio; add it to wav\.scp"):
        choose_utterances(data, "1")

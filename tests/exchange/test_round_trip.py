"""What is exported and imported again is what it was."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.data.datadir import DataDir, Segment
from speechtl.data.durations import durations
from speechtl.exchange.export_data import EXPORT_KINDS, export_data
from speechtl.exchange.import_data import import_data

SECONDS, RATE = 4.0, 8000
# What a word may be made of, separators of other formats and quote marks included; a TextGrid has no empty labels.
letters = st.sampled_from("aéж,;|\"'\\{}#!<\u200b")
words = st.text(letters, min_size=1, max_size=4).filter(lambda word: word.split() == [word])

sentences = st.lists(words, max_size=3).map(" ".join)
numbers = itertools.count()


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audio")
    noise = np.random.default_rng(0).normal(0, 0.1, (int(SECONDS * RATE), 2))
    for name in ("one", "two", "three"):
        soundfile.write(folder / f"{name}.wav", noise[:, 0], RATE)
    soundfile.write(folder / "stereo.flac", noise, RATE)
    return folder


@st.composite
def corpora(draw):
    """A directory of real audio; ids begin with the speaker, as Kaldi wants them, and some hold odd characters."""
    data = DataDir(Path("drawn"))
    segmented, languages, domains, genders = (draw(st.booleans()) for _ in range(4))
    people = draw(st.lists(st.sampled_from(["anna", "ben", "çem", "d.e"]), min_size=1, max_size=3, unique=True))
    for speaker in people:
        for number in range(draw(st.integers(1, 3))):
            utterance = f"{speaker}-{draw(st.sampled_from(['u', 'ü%', 'x.y', '#']))}{number}"
            data.utt2spk[utterance] = speaker
            data.text[utterance] = draw(sentences)
            if languages:
                data.utt2lang[utterance] = draw(st.sampled_from(["en", "zh-CN"]))
            if domains:
                data.utt2dom[utterance] = draw(st.sampled_from(["phone", "studio"]))
            if segmented:
                # One after the other, in milliseconds.
                name = draw(st.sampled_from(["one", "two"]))
                before = sum(one.recording == name for one in data.segments.values())
                start = 0.4 * before + draw(st.integers(0, 100)) / 1000
                end = -1.0 if before == 9 else round(start + 0.2 + draw(st.integers(0, 100)) / 1000, 3)
                data.segments[utterance] = Segment(name, round(start, 3), end)
                data.wav_scp[name] = f"{name}.wav"
            else:
                data.wav_scp[utterance] = draw(st.sampled_from(["one.wav", "three.wav", "stereo.flac"]))
        if genders:
            data.spk2gender[speaker] = draw(st.sampled_from("mf"))
    return data


def heard(data):
    """Return the samples of the first second of each utterance, roughly."""
    found = {}
    for one in data.utterances():
        start = round((one.start or 0) * RATE)
        end = None if one.end is None else round(one.end * RATE)
        samples, _ = soundfile.read(one.audio, start=start, stop=end, always_2d=True)
        found[one.id] = np.round(samples.mean(axis=1), 3)
    return found


def there_and_back(audio, data, kind):
    for name, file in data.wav_scp.items():
        data.wav_scp[name] = str(audio / file)
    folder = audio / f"run{next(numbers)}"
    out = folder / ("out.table" if kind in ("csv", "tsv", "nemo") else "out")
    notes = export_data(data, out, kind)
    return import_data(out, folder / "data"), notes


@settings(max_examples=10, deadline=None)
@pytest.mark.parametrize("kind", EXPORT_KINDS)
@given(data=corpora())
def test_what_is_exported_is_imported_as_it_was(audio, kind, data):
    if kind == "ljspeech":
        data.text = {name: text.replace("|", "/") for name, text in data.text.items()}
        if len(set(data.utt2spk.values())) > 1:
            data = data.select(name for name, who in data.utt2spk.items() if who == min(data.utt2spk.values()))
    if kind == "mfa-textgrid":
        data.text = {name: text or "x" for name, text in data.text.items()}
    original = {name: entries.copy() for name, _, entries in data.tables()}
    imported, notes = there_and_back(audio, data, kind)
    back = imported.data
    # Where a format has no ids, they change, and this is said.
    ids = {name: name for name in data.utt2spk}
    if kind in ("mfa-textgrid", "ljspeech", "mfa", "commonvoice"):
        ids = renamed(data, back, kind)
        said = " ".join([*notes, *imported.notes])
        assert all(name == new or "id" in said for name, new in ids.items())
    assert {ids[name]: text for name, text in original["text"].items()} == back.text
    if kind != "ljspeech":
        assert {ids[name]: speaker for name, speaker in original["utt2spk"].items()} == back.utt2spk
    if kind not in ("ljspeech", "mfa", "mfa-textgrid"):
        assert {ids[name]: language for name, language in original["utt2lang"].items()} == back.utt2lang
        assert original["spk2gender"] == back.spk2gender
    if kind in ("csv", "tsv", "nemo", "lhotse", "audiofolder"):
        assert original["utt2dom"] == back.utt2dom
    if kind in ("csv", "tsv", "nemo", "lhotse"):
        ends = durations(data)
        expected = {name: (s.recording, s.start, round(s.start + ends[name], 6)) for name, s in data.segments.items()}
        ends = durations(back)
        found = {name: (s.recording, s.start, round(s.start + ends[name], 6)) for name, s in back.segments.items()}
        assert found == expected and back.wav_scp == data.wav_scp
    before, after = heard(data), heard(back)
    for name, new in ids.items():
        assert len(before[name]) == pytest.approx(len(after[new]), abs=1)
        np.testing.assert_allclose(before[name][:100], after[new][:100], atol=2e-3)


def renamed(data, back, kind):
    """Return original -> imported id, by what was said in order of id or of time."""
    if kind == "mfa-textgrid":
        key = {one.id: (one.speaker, one.text, one.start or 0.0) for one in data.utterances()}
        other = {}
        for one in back.utterances():
            other.setdefault((one.speaker, one.text, one.start or 0.0), []).append(one.id)
        return {name: other[place].pop(0) for name, place in key.items()}
    prefix = "out-" if kind == "ljspeech" else ""
    ids = {}
    for name in data.utt2spk:
        new = name.replace("%", "%25")
        ids[name] = next(one for one in (new, f"{prefix}{new}") if one in back.utt2spk)
    return ids

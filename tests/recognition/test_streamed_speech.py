"""Speech that is still coming in: the same results whatever the blocks, and those of the whole segment at once."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whistled_speech import RATE, whistle

import speechtl
from speechtl.audio.voice_activity import SegmentationConfig
from speechtl.errors import ConfigError, DataError, LexiconError
from speechtl.features.cmvn import accumulate, apply
from speechtl.features.fbank import compute_many

TEXTS = ["tak sit kus si ata tak", "si sit", "kus tak ata"]


def speech(texts, rate=RATE):
    """Return utterances with pauses between them, and where each word begins and ends."""
    parts, words, place = [], [], 0.0
    for number, text in enumerate(texts):
        samples, times = whistle(text, number, rate=rate)
        words += [(word, start + place, end + place) for word, (start, end) in zip(text.split(), times, strict=True)]
        parts += [samples, np.random.default_rng(number).normal(0, 0.001, round(1.3 * rate))]
        place += (len(samples) + len(parts[-1])) / rate
    return np.concatenate(parts).astype(np.float32), words


@pytest.fixture(scope="module")
def recogniser(experiment):
    return speechtl.load(experiment)


def updates_of(stream, samples, sizes):
    """Feed a stream blocks whose sizes come round and round."""
    updates, place, turn = [], 0, 0
    while place < len(samples):
        updates += stream.feed(samples[place : place + sizes[turn % len(sizes)]])
        place, turn = place + sizes[turn % len(sizes)], turn + 1
    return updates + stream.finish()


def finals(updates):
    return [update.segment for update in updates if update.final]


def test_segments_and_words_are_where_they_were_said(recogniser):
    samples, words = speech(TEXTS)
    segments = finals(updates_of(recogniser.stream(RATE), samples, [400]))
    assert [segment.text for segment in segments] == TEXTS
    found = [word for segment in segments for word in segment.words]
    for word, (label, start, end) in zip(found, words, strict=True):
        assert word.label == label and abs(word.start - start) < 0.15 and abs(word.end - end) < 0.15
        assert 0 <= word.confidence <= 1 and "".join(word.phones) == label
    # In one piece, cut by a detector that knows what comes, it is the same.
    whole = recogniser.transcribe(samples, RATE)
    assert [segment.text for segment in whole.segments] == TEXTS
    for one, other in zip(segments, whole.segments, strict=True):
        assert abs(one.start - other.start) < 0.1 and abs(one.end - other.end) < 0.1


def test_partial_results_lead_to_the_final_one(recogniser):
    stream, (samples, words) = recogniser.stream(RATE), speech(TEXTS[:1])
    seen = {}
    for place in range(0, len(samples), 160):
        for update in stream.feed(samples[place : place + 160]):
            assert update.segment.start <= 0.01 and update.segment.end <= stream.seconds
            for number, word in enumerate(update.segment.words):
                if update.segment.text.split()[: number + 1] == TEXTS[0].split()[: number + 1]:
                    seen.setdefault(number, (stream.seconds, word))
    assert len(seen) == len(words)
    for number, (_, start, end) in enumerate(words):
        when, word = seen[number]
        # A word is known when its sounds and what the model looks ahead are there, and the next chunk is complete.
        assert when <= end + stream.latency + 0.2
        assert abs(word.start - start) < 0.2 and abs(word.end - end) < 0.2


REFERENCE = {}


@settings(max_examples=12, deadline=None)
@given(sizes=st.lists(st.integers(1, 20000), min_size=1, max_size=6), rate=st.sampled_from([RATE, 16000]))
def test_results_do_not_depend_on_the_blocks(recogniser, sizes, rate):
    if max(sizes) < 40:
        sizes = [*sizes, 333]
    samples = REFERENCE.setdefault(f"samples {rate}", speech(TEXTS[1:], rate)[0])
    if rate not in REFERENCE:
        REFERENCE[rate] = finals(updates_of(recogniser.stream(rate), samples, [len(samples)]))
    found = finals(updates_of(recogniser.stream(rate), samples, sizes))
    # Resampling in blocks moves samples by the rounding of float32.
    assert [(s.start, s.end, s.text) for s in found] == [(s.start, s.end, s.text) for s in REFERENCE[rate]]
    if rate == RATE:
        assert found == REFERENCE[rate]


def test_final_words_are_those_of_the_whole_segment_decoded_at_once(recogniser):
    """With the stream's segments and normalisation, written down again: by what was heard so far, at least a second."""
    samples, _ = speech(TEXTS)
    stream = recogniser.stream(RATE)
    segments = finals(updates_of(stream, samples, [999]))
    windows, experiment = stream._windows, recogniser.experiment
    assert stream.exact
    heard = []
    for segment in segments:
        signal = samples[round(segment.start * RATE) : round(segment.end * RATE)] * np.float32(32768)
        (features,) = compute_many([signal], experiment.config.features)
        known, parts = 0, []
        least = max(100 - sum(stats[0, -1] for stats in heard), windows.chunk + windows.right)
        ends = [end for end in range(windows.chunk + windows.right, len(features) + 1, windows.chunk) if end >= least]
        ends = [int(least), *ends]
        for end in [*ends, len(features)]:
            if end > known:
                heard.append(accumulate(features[known:end]))
                parts.append(apply(features[known:end], np.sum(heard, axis=0)))
                known = end
        whole = recogniser.decoders["xx"].decode(experiment.posteriors(np.concatenate(parts)))
        assert " ".join(whole.words) == segment.text
        assert whole.score == pytest.approx(segment.score, abs=0.01)


def test_streams_in_threads_are_independent(recogniser):
    texts = [TEXTS[:1], TEXTS[1:], ["ata ata"], TEXTS[::-1]]
    found = {}

    def run(number):
        updates = updates_of(recogniser.stream(RATE), speech(texts[number])[0], [100 + 37 * number])
        found[number] = [segment.text for segment in finals(updates)]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(len(texts))] == texts


def test_a_word_is_found_from_the_next_segment_on(experiment):
    recogniser = speechtl.load(experiment)
    first, _ = whistle("kita")
    quiet = np.random.default_rng(0).normal(0, 0.001, round(1.3 * RATE))
    stream = recogniser.stream(RATE)
    stream.feed(first[: len(first) // 2])
    recogniser.add_word("Kita", "k i t a")
    begun = finals(stream.feed(np.concatenate([first[len(first) // 2 :], quiet])))
    later = finals(stream.feed(np.concatenate([first, quiet])))
    assert [segment.text != "Kita" for segment in begun] == [True]
    assert [segment.text for segment in later] == ["Kita"]


def test_a_grammar_holds_from_the_next_segment_on(experiment, tmp_path):
    recogniser = speechtl.load(experiment)
    recogniser.add_word("Kita", "k i t a")
    (tmp_path / "g.jsgf").write_text("#JSGF V1.0; grammar g; public <command> = (kus | Kita) tak;\n")
    stream, (samples, _) = recogniser.stream(RATE), speech(["kita tak"])
    assert [segment.text for segment in finals(stream.feed(samples))] == ["Kita tak"]
    recogniser.use_grammar(tmp_path / "g.jsgf")
    assert [segment.text for segment in finals(stream.feed(samples))] == ["Kita tak"]
    others, _ = speech(["kus tak sit sit"])
    assert [segment.text in ("kus tak", "") for segment in finals(stream.feed(others))] == [True]
    recogniser.use_grammar(None)
    assert [segment.text for segment in finals(stream.feed(others))] == ["kus tak sit sit"]
    with pytest.raises(LexiconError, match=r"none.jsgf: No such file"):
        recogniser.use_grammar(tmp_path / "none.jsgf")
    with pytest.raises(LexiconError, match="lexicon"):
        speechtl.load(experiment, words=False).use_grammar(tmp_path / "g.jsgf")


def test_an_exported_model_says_the_same(recogniser, experiment, tmp_path):
    speechtl.export(experiment, tmp_path / "x.speechtl")
    exported, (samples, _) = speechtl.load(tmp_path / "x.speechtl"), speech(TEXTS)
    expected = finals(updates_of(recogniser.stream(RATE), samples, [999]))
    found = finals(updates_of(exported.stream(RATE), samples, [500]))
    assert [(s.start, s.end, s.text) for s in found] == [(s.start, s.end, s.text) for s in expected]
    assert [s.score for s in found] == pytest.approx([s.score for s in expected], abs=0.05)


def test_phones_alone(experiment):
    recogniser = speechtl.load(experiment, words=False)
    segments = finals(updates_of(recogniser.stream(RATE), speech(["tak sit"])[0], [500]))
    assert ["".join(phone.label for phone in segment.phones) for segment in segments] == ["taksit"]


def test_digital_silence_is_filled(recogniser):
    samples, _ = speech(TEXTS)
    samples[: RATE // 5] = 0
    gaps = np.concatenate([samples, np.zeros(2 * RATE, np.float32), samples])
    texts = [segment.text for segment in finals(updates_of(recogniser.stream(RATE), gaps, [640]))]
    assert texts == TEXTS * 2


def test_nothing_is_said_in_silence(recogniser):
    noise = np.random.default_rng(0).normal(0, 0.001, 4 * RATE).astype(np.float32)
    for samples in (noise, np.zeros(4 * RATE, np.float32), np.zeros(0, np.float32), noise[:50]):
        assert updates_of(recogniser.stream(RATE), samples, [333]) == []


def test_what_cannot_be_streamed(recogniser):
    stream = recogniser.stream(RATE)
    with pytest.raises(DataError, match="shape"):
        stream.feed(np.zeros((3, 2), np.float32))
    with pytest.raises(DataError, match="int16"):
        stream.feed(np.zeros(3, np.int16))
    with pytest.raises(DataError, match="not numbers"):
        stream.feed(np.array([np.nan], np.float32))
    assert stream.finish() == []
    with pytest.raises(DataError, match="was finished"):
        stream.feed(np.zeros(3, np.float32))
    with pytest.raises(ConfigError, match="rate"):
        recogniser.stream(0)


def test_long_speech_is_cut(experiment):
    recogniser = speechtl.load(experiment, settings=["segmentation.longest=4", "segmentation.pause=2"])
    samples, words = speech([" ".join(TEXTS)] * 2)
    segments = finals(updates_of(recogniser.stream(RATE), samples, [777]))
    assert len(segments) > 3 and all(segment.end - segment.start <= 4.0 for segment in segments)
    assert [word.label for segment in segments for word in segment.words] == [word for word, _, _ in words]
    assert SegmentationConfig().longest > 4

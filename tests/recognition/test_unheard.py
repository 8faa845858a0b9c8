"""Notes about speech in which no word was found."""

from types import SimpleNamespace

import pytest

from speechtl.recognition.unheard import Unheard

ADVICE = "; where each is one word, --set decoding.mode=isolated takes the likeliest"


def transcript(*lengths, words=(), beginning=""):
    segments = [
        SimpleNamespace(start=1.0, end=1.0 + length, beginning=beginning, words=words, complete=True)
        for length in lengths
    ]
    return SimpleNamespace(name="a.wav", segments=segments, phones_alone=False)


def test_notes_count_segments_and_name_some():
    unheard = Unheard(sentences=False)
    unheard.add(transcript(0.5, 0.5, 0.5, 0.5))
    unheard.add(transcript(0.5, words=("tak",)))
    (note,) = unheard.notes()
    places = ", ".join(["a.wav (1.00 to 1.50 s)"] * 3)
    assert note == f"no word fits in 4 of 5 segments of speech: {places} and 1 more"


@pytest.mark.parametrize(
    ("lengths", "sentences", "advised"), [((0.5, 1.5), True, True), ((0.5, 3.0), True, False), ((0.5,), False, False)]
)
def test_single_words_are_looked_for_in_short_recordings(lengths, sentences, advised):
    unheard = Unheard(sentences)
    unheard.add(transcript(*lengths))
    (note,) = unheard.notes()
    assert note.endswith(ADVICE) == advised


def test_what_was_found_needs_no_advice():
    unheard = Unheard()
    unheard.add(transcript(0.5, words=("tak",)))
    assert unheard.notes() == []
    unheard.add(transcript(0.5, beginning="tak"))
    (note,) = unheard.notes()
    assert note.startswith("only the beginning of a command fits") and ADVICE not in note

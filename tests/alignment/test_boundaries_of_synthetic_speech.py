"""Boundaries in speech of espeak-ng, which tells when each phone starts."""

import ctypes

import numpy as np
import pytest

from speechtl.alignment.boundary_refinement import BoundaryRefinement
from speechtl.alignment.chain import Chain, boundary_features, cepstra_of_log_mel
from speechtl.features.config import FeatureConfig

espeakng_loader = pytest.importorskip("espeakng_loader")

WORDS = (
    "seven morning window paper river market silver garden yellow summer doctor basket pocket letter number winter "
    "button finger kitchen mountain corner hammer lemon water sugar pencil station minute second table"
)
PHONEME_EVENT, END_OF_EVENTS = 7, 0


class Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("string", ctypes.c_char * 8),
    ]


@pytest.fixture(scope="module")
def say():
    """Return a function from text to its samples, their rate and ``(seconds, phone)`` where each phone starts."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    # 2: samples through a callback, all there when the call returns; 1: events for phones.
    rate = library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 1)
    if rate <= 0:
        pytest.skip("espeak-ng does not start")
    chunks, events = [], []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))
    def receive(samples, count, told):
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        number = 0
        while told and told[number].type != END_OF_EVENTS:
            if told[number].type == PHONEME_EVENT:
                events.append((told[number].sample / rate, told[number].string.decode("utf-8", "replace")))
            number += 1
        return 0

    library.espeak_SetSynthCallback(receive)
    library.espeak_SetVoiceByName(b"en-us")
    library.espeak_SetParameter(1, 140, 0)

    def synthesise(text):
        chunks.clear()
        events.clear()
        encoded = text.encode() + b"\0"
        library.espeak_Synth(encoded, len(encoded), 0, 1, 0, 1, None, None)
        return np.concatenate(chunks), rate, list(events)

    yield synthesise
    library.espeak_SetSynthCallback(None)


def test_boundaries_agree_with_the_synthesiser(say):
    soxr = pytest.importorskip("soxr")
    fbank = pytest.importorskip("speechtl.features.fbank")
    config = FeatureConfig(num_mel_bins=40)
    random = np.random.default_rng(0)
    utterances = []
    for _ in range(40):
        samples, rate, events = say(" ".join(random.choice(WORDS.split(), 5, replace=False)))
        noisy = soxr.resample(samples.astype(np.float32), rate, config.sample_rate)
        noisy += random.normal(0, 20, len(noisy)).astype(np.float32)
        utterances.append((noisy, events))
    names = sorted({name for _, events in utterances for _, name in events if name.strip(" _:;,'")})
    log_mel = fbank.compute_many([samples for samples, _ in utterances], config)
    everything = np.concatenate(log_mel)
    mean, deviation = everything.mean(axis=0), everything.std(axis=0)
    chains, truth = [], []
    for (samples, events), matrix in zip(utterances, log_mel, strict=True):
        ends = [time for time, _ in events[1:]] + [len(samples) / config.sample_rate]
        rows = [(start, end, name) for (start, name), end in zip(events, ends, strict=True) if name in names]
        rows = [row for row in rows if row[1] > row[0]]
        starts, stops = (np.array([row[place] for row in rows]) for place in (0, 1))
        # A first guess as wrong as that of a CTC model: off by 30 ms on the average.
        edges = np.sort(np.array([starts, stops]).T.ravel() + random.normal(0, 0.03, 2 * len(rows)))
        edges = np.clip(np.round((edges - 0.0075) / 0.01), 0, len(matrix)).astype(int)
        chains.append(
            Chain(
                boundary_features(cepstra_of_log_mel((matrix - mean) / deviation)),
                np.array([names.index(row[2]) + 1 for row in rows]),
                edges[::2],
                edges[1::2],
                np.append(np.append(True, starts[1:] - stops[:-1] > 0.001), True),
            )
        )
        truth.append(starts)
    models = BoundaryRefinement(len(names), chains[0].features.shape[1])
    models.train(chains, jobs=2)
    late, first = [], []
    for chain, starts in zip(chains, truth, strict=True):
        late += list(models.align(chain)[0] * 0.01 + 0.0075 - starts)
        first += list(chain.starts * 0.01 + 0.0075 - starts)
    print(
        f"{len(late)} phones: median error {1000 * np.median(np.abs(late)):.1f} ms, 90th percentile "
        f"{1000 * np.quantile(np.abs(late), 0.9):.1f} ms, shift {1000 * np.median(late):+.1f} ms; first guess "
        f"{1000 * np.median(np.abs(first)):.1f} and {1000 * np.quantile(np.abs(first), 0.9):.1f} ms"
    )
    assert np.median(np.abs(late)) < 0.012
    assert np.median(np.abs(late)) < 0.7 * np.median(np.abs(first))

"""Audio files of kinds that libsndfile cannot write, made by PyAV from known samples."""

import numpy as np
import soxr

RATE = 16000


def voice(seconds=2.31):
    """Return a gliding tone with an envelope, which codecs keep in place, in [-1, 1]."""
    t = np.arange(round(seconds * RATE)) / RATE
    glide = np.sin(2 * np.pi * (300 * t + 200 * np.sin(2 * t)))
    return (0.3 * glide * (0.2 + np.abs(np.sin(3 * t)))).astype(np.float32)


def encode(path, container, codec, rate, channels=1, signal=None):
    """Write a file; return the samples that went into it, at its rate."""
    import av

    samples = soxr.resample(voice() if signal is None else signal, RATE, rate, quality="HQ").astype(np.float32)
    layout = "mono" if channels == 1 else "stereo"
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(np.tile(samples, (channels, 1)), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        context = stream.codec_context
        resampler = av.AudioResampler(context.format.name, layout, rate, frame_size=context.frame_size or 0)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return samples

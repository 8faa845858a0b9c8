"""How many hypotheses the search keeps: its processor time and the word errors on the same posteriors.

    python tests/benchmarks/max_active.py DATA LEXICON [--model base] [--language en] [--count N]
        [--own-words] [--max-active 7000 3000 1500 700] [--beam-delta 0.5]

DATA is a data directory with transcripts, of which evenly --count utterances are taken; any word of LEXICON may follow
any. With --own-words, the words and the language model of the model are searched in its place. Every row decodes all
utterances, with times and confidences as `speechtl transcribe` does; the first never narrows the beam.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np

import speechtl
from speechtl.data.datadir import DataDir
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.recognition.recogniser import Recogniser
from speechtl.recognition.segment_reader import SegmentReader
from speechtl.recognition.transcript import Recording
from speechtl.scoring.error_rate import error_rate


def posteriors_of(recogniser: Recogniser, data: DataDir, names: list[str], language: str) -> dict[str, np.ndarray]:
    """Return the posteriors of utterances, each as one segment."""
    model = recogniser.experiment
    spoken = {one.id: one for one in data.utterances()}
    found = {}
    for name in names:
        (segments,) = SegmentReader(model, None, one_speaker=False).read(Recording(name, spoken[name]), [0.0])
        found[name] = model.posteriors(segments[0].features, language)
    return found


def measure(decoder: LexiconDecoder, posteriors: dict[str, np.ndarray], text: dict[str, str], seconds: float) -> str:
    """Decode everything; return the columns of a row."""
    start = time.process_time()
    found = {name: decoder.decode(matrix, times=True).words for name, matrix in posteriors.items()}
    spent = time.process_time() - start
    words = {name: " ".join(said).lower() for name, said in found.items()}
    errors = error_rate({name: text[name].lower() for name in words}, words).total
    return f"{3600 * spent / seconds:.1f} | {errors.errors} of {errors.reference_length}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("lexicon", type=Path)
    parser.add_argument("--model", default="base")
    parser.add_argument("--language", default="en")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--own-words", action="store_true")
    parser.add_argument("--max-active", type=int, nargs="+", default=[7000, 3000, 1500, 700])
    parser.add_argument("--beam-delta", type=float, default=0.5)
    arguments = parser.parse_args()
    language, lexicon = arguments.language, None if arguments.own_words else arguments.lexicon
    recogniser = speechtl.load(arguments.model, lexicon=lexicon, language=language)
    data = DataDir.load(arguments.data)
    names = sorted(data.text)
    names = [names[int(place)] for place in np.linspace(0, len(names) - 1, min(arguments.count, len(names)))]
    posteriors = posteriors_of(recogniser, data, names, language)
    seconds = sum(map(len, posteriors.values())) * recogniser.experiment.frame_shift
    decoder = recogniser.decoders[language]
    decoder.decode(posteriors[names[0]], times=True)
    print(f"{len(names)} utterances, {seconds:.0f} s\n| hypotheses | s an hour | word errors |\n|---|---|---|")
    choices = [(most, arguments.beam_delta) for most in arguments.max_active]
    for most, delta in [(arguments.max_active[0], math.inf), *choices]:
        config = decoder.config.model_copy(update={"max_active": most, "beam_delta": delta})
        row = f"{most}, beam narrowed" if delta < math.inf else f"{most}"
        print(f"| {row} | {measure(decoder.with_config(config), posteriors, data.text, seconds)} |", flush=True)


if __name__ == "__main__":
    main()

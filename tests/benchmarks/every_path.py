"""A test set by every path from audio to words: word errors of each, and utterances whose words are others.

    python tests/benchmarks/every_path.py --corpus AN4 [--model base] [--language en] [--count N] [--path NAME ...]

``--corpus`` is CMU AN4 (etc/, wav/), whose test part is recognised with its own dictionary. The paths are those of
`paths_to_words.py`. Ends with code 1 if two of them are further apart than one word.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from paths_to_words import PATHS, Speech  # noqa: E402

from speechtl.scoring.error_rate import error_rate  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", default="base")
    parser.add_argument("--language", default="en")
    parser.add_argument("--count", type=int)
    parser.add_argument("--path", action="append", choices=PATHS)
    arguments = parser.parse_args()
    lines = (arguments.corpus / "etc" / "an4_test.transcription").read_text().splitlines()
    texts = {line.rpartition("(")[2].rstrip(")"): line.rpartition("(")[0].strip() for line in lines if line.strip()}
    texts = dict(list(texts.items())[: arguments.count])
    texts = {name: re.sub(r"</?s>", "", text).strip() for name, text in texts.items()}
    found = {path.stem: path for path in (arguments.corpus / "wav").rglob("*") if path.suffix in (".flac", ".wav")}
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: found[name] for name in sorted(texts)}
        lexicon = Path(folder) / "lexicon.txt"
        lexicon.write_text((arguments.corpus / "etc" / "an4.dic").read_text())
        speech = Speech(arguments.model, arguments.language, files, lexicon, "arpabet", Path(folder))
        print(f"{len(files)} utterances")
        print("| path | WER % | word errors | others than the first | s |\n|---|---|---|---|---|")
        for name in arguments.path or PATHS:
            start = time.monotonic()
            results[name], _ = PATHS[name](speech)
            errors = error_rate(texts, results[name]).total
            other = [key for key in files if results[name][key] != next(iter(results.values()))[key]]
            rate = f"{100 * errors.errors / errors.reference_length:.2f} | {errors.errors} of {errors.reference_length}"
            print(f"| {name} | {rate} | {len(other)} | {time.monotonic() - start:.0f} |", flush=True)
            for key in other[:5]:
                print(f"    {key}: {next(iter(results.values()))[key]} / {results[name][key]}")
    counts = [error_rate(texts, words).total.errors for words in results.values()]
    sys.exit(1 if max(counts) - min(counts) > 1 else 0)


if __name__ == "__main__":
    main()

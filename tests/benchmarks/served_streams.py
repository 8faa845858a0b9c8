"""Many people speak to one server at once: is anything lost or mixed up, and how late are the words?

    speechtl serve recipes/quickstart/exp/base --lexicon recipes/quickstart/data/lang --language en --max-sessions 60
    python tests/benchmarks/served_streams.py recipes/quickstart/data/test_en [--streams 50] [--address 127.0.0.1:8000]

Each stream sends an utterance of its own in real time, in a session of its own. The peer is the same utterance alone,
as fast as it is taken: every stream must have the same words. Printed are the seconds from the last sample of a stream
to its last word, and how many streams differ.
"""

import argparse
import asyncio
import json
import statistics
import time
import urllib.request
from pathlib import Path

import numpy as np
import soundfile
import websockets

BLOCK = 0.1


def begin(address: str) -> str:
    """Begin a session."""
    request = urllib.request.Request(f"http://{address}/api/sessions", method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["session"]


async def speak(address: str, samples: np.ndarray, rate: int, live: bool) -> tuple[str, float]:
    """Send one utterance; return its words, and the seconds until the last of them."""
    session = begin(address)
    async with websockets.connect(f"ws://{address}/api/sessions/{session}/stream?rate={rate}") as stream:
        await stream.recv()
        step = round(BLOCK * rate)
        started = time.monotonic()
        for number, place in enumerate(range(0, len(samples), step)):
            if live:
                await asyncio.sleep(max(0.0, started + number * BLOCK - time.monotonic()))
            await stream.send(samples[place : place + step].tobytes())
        spoken = time.monotonic()
        await stream.send('{"type": "end"}')
        words = []
        async for message in stream:
            found = json.loads(message)
            if found["type"] == "final":
                words.append(found["segment"]["text"])
        late = time.monotonic() - spoken
    request = urllib.request.Request(f"http://{address}/api/sessions/{session}", method="DELETE")
    urllib.request.urlopen(request).close()
    return " ".join(words), late


async def run(address: str, recordings: list[tuple[np.ndarray, int]]) -> None:
    """Compare all at once with each alone."""
    alone = [await speak(address, samples, rate, live=False) for samples, rate in recordings]
    started = time.monotonic()
    together = await asyncio.gather(*(speak(address, samples, rate, live=True) for samples, rate in recordings))
    taken = time.monotonic() - started
    late = sorted(seconds for _, seconds in together)
    differ = sum(one[0] != other[0] for one, other in zip(alone, together, strict=True))
    longest = max(len(samples) / rate for samples, rate in recordings)
    print(f"{len(together)} streams, the longest {longest:.1f} s, took {taken:.1f} s")
    print(f"streams with other words than alone: {differ}")
    print(f"last word after the last sample: median {statistics.median(late):.2f} s, most {late[-1]:.2f} s")
    print(f"empty: {sum(not words for words, _ in together)}; different texts: {len({words for words, _ in together})}")


def main() -> None:
    """Read the recordings, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="data directory")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--address", default="127.0.0.1:8000")
    options = parser.parse_args()
    folder = Path(options.data)
    lines = (folder / "wav.scp").read_text(encoding="utf-8").splitlines()
    places = [Path(line.split(maxsplit=1)[1]) for line in lines[: options.streams]]
    # The quickstart's paths are relative to its folder.
    found = [place if place.exists() else folder.parent.parent / place for place in places]
    asyncio.run(run(options.address, [soundfile.read(place, dtype="int16") for place in found]))


if __name__ == "__main__":
    main()

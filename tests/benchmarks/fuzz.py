"""Any number of nearly right files through one reader, or through all of them.

    python tests/benchmarks/fuzz.py PARSER... --inputs 1000000    # "all" for every one; without a name, lists them

A fault is anything but a right result or an error of speechtl: another exception, a crash, more than two seconds or 500
MB for one input. One input for each place where a fault occurred is kept in ``--keep``. The inputs are those of a seed,
so that a run can be repeated. Exit code 1 if there was a fault.
"""

import argparse
import collections
import contextlib
import faulthandler
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "faults")]

from mutations import random_file  # noqa: E402
from parsers import PARSERS  # noqa: E402

from speechtl.errors import SpeechtlError  # noqa: E402

SECONDS, MEGABYTES = 2.0, 500
# Inputs that one process reads before the next takes over; a crash costs what is left of them.
PORTION = 20_000


class TooSlow(BaseException):
    """Raised by the timer; no reader may catch it."""


def main():
    """Fuzz, and print what came out."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("parsers", nargs="*", metavar="PARSER")
    arguments.add_argument("--inputs", type=int, default=10_000, help="of each parser")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--keep", type=Path, default=Path("faults"), help="where inputs with faults are kept")
    given = arguments.parse_args()
    # In memory, where there is such a place: most of the time would go into waiting for the disk.
    tempfile.tempdir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    logging_off()
    names = list(PARSERS) if given.parsers == ["all"] else given.parsers
    if not names or set(names) - PARSERS.keys():
        arguments.error(f"give some of: all {' '.join(PARSERS)}")
    faults = sum(fuzz(name, given.inputs, given.seed, given.keep) for name in names)
    sys.exit(1 if faults else 0)


def fuzz(name, inputs, seed, keep):
    """Fuzz one reader; return the number of different faults."""
    start, found, counts = time.monotonic(), {}, collections.Counter()
    for content in PARSERS[name].originals():
        # Whatever is compiled or imported at first use is so before the limits hold.
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(SpeechtlError):
            PARSERS[name].read(Path(folder), content)
    first = 0
    while first < inputs:
        result = in_process(name, seed, first, min(first + PORTION, inputs))
        first = result["next"]
        counts.update(result["counts"])
        for place, (fault, number) in result["faults"].items():
            if place not in found:
                found[place] = fault
                keep.mkdir(parents=True, exist_ok=True)
                path = keep / f"{name}-{seed}-{number}"
                path.write_bytes(nth(name, seed, number))
                print(f"{name}: {fault}\n    {place}\n    {path}", flush=True)
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items()))
    print(f"{name}: {inputs:,} inputs, {told}, {len(found)} faults, {time.monotonic() - start:.0f} s", flush=True)
    return len(found)


def nth(name, seed, number):
    """Return an input by its number."""
    return random_file(PARSERS[name].originals(), random.Random(f"{name} {seed} {number}"))


def in_process(name, seed, first, last):
    """Read inputs in a process of their own; return what came out, and the number of the input to go on with."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            read_inputs(name, seed, first, last, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        lines = [json.loads(line) for line in pipe]
    _, status = os.waitpid(child, 0)
    if lines and "next" in lines[-1]:
        return lines[-1]
    number = lines[-1]["at"] if lines else first
    fault = f"the process died of signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "the process ended"
    # What came before in this portion is read again without the input that killed it.
    before = in_process(name, seed, first, number) if number > first else {"counts": {}, "faults": {}}
    return {
        "next": number + 1,
        "counts": {**before["counts"], "crashed": 1},
        "faults": {**before["faults"], fault: (fault, number)},
    }


def read_inputs(name, seed, first, last, pipe):
    """Read inputs; write the number of each that takes its time to a pipe, and at last what came out."""
    counts, faults = collections.Counter(), {}
    read = PARSERS[name].read
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 2 * MEGABYTES * 10**6, hard))
    signal.signal(signal.SIGPROF, too_slow)
    with tempfile.TemporaryDirectory() as root:
        for number in range(first, last):
            content = nth(name, seed, number)
            pipe.write(json.dumps({"at": number}) + "\n")
            pipe.flush()
            folder = Path(root) / "x"
            folder.mkdir()
            fault = place = None
            started = time.process_time()
            # By the clock of the processor: others work on the machine, too.
            signal.setitimer(signal.ITIMER_PROF, 10 * SECONDS)
            try:
                read(folder, content)
                counts["read"] += 1
            except SpeechtlError as error:
                counts["refused"] += 1
                if not str(error).strip():
                    fault, place = "an error without a message", repr(error)
            except BaseException as error:
                fault = f"{type(error).__name__}: {str(error)[:200]}"
                frames = traceback.extract_tb(error.__traceback__)
                own = [frame for frame in frames if "/speechtl/" in frame.filename] or frames
                place = f"{own[-1].filename.rpartition('/speechtl/')[2]}:{own[-1].lineno} {own[-1].line}"
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            shutil.rmtree(folder, ignore_errors=True)
            taken = time.process_time() - started
            if fault is None and taken > SECONDS * max(len(content) / 1e6, 1):
                fault, place = f"{taken:.1f} s for {len(content):,} bytes", "slow"
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if fault is None and (peak - before) / 1000 > MEGABYTES:
                fault, place = f"{(peak - before) / 1000:.0f} MB for {len(content):,} bytes", "memory"
            before = max(before, peak) if place == "memory" else before
            if fault is not None:
                counts["at fault"] += 1
                faults.setdefault(place, (fault, number))
    pipe.write(json.dumps({"next": last, "counts": counts, "faults": faults}) + "\n")


def too_slow(*_):
    """Interrupt an input that takes too long."""
    raise TooSlow


def logging_off():
    """Say nothing of what is only a warning."""
    import logging
    import warnings

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    faulthandler.disable()


if __name__ == "__main__":
    main()

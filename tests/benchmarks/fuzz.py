"""Any number of nearly right files through one reader, or through all of them.

    python tests/benchmarks/fuzz.py PARSER... [--seconds 180] [--inputs N] [--seed N] [--large N]  # or "all"

Without a name, the readers are listed. A fault is anything but a right result or an error of speechtl: another
exception, a crash, more than two seconds or 500 MB for one input. Inputs are changed further that brought an error
nobody had seen before: by its words, without numbers and what it quotes. So the number of different errors says how
much of a reader has been seen. The last input at fault for each place is kept in ``--keep``. Exit code 1 if there was
a fault.
"""

import argparse
import collections
import contextlib
import faulthandler
import mmap
import os
import pickle
import random
import re
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
from own_file_parsers import PARSERS  # noqa: E402

from speechtl.errors import SpeechtlError  # noqa: E402

SECONDS, MEGABYTES = 2.0, 500
# Inputs that one process reads before the next takes over; a crash costs what is left of them.
PORTION = 50_000
# Of inputs that are changed further, besides the right ones: how many, and how long they may be.
MOST, LONGEST = 300, 20_000
# A file is longer than a megabyte by what else is in it.
ROOM = 8_000_000
_PARTICULAR = re.compile(r"'[^']*'|\"[^\"]*\"|\([^)]*\)|\d+|\S*/\S*")


class TooSlow(BaseException):
    """Raised by the timer; no reader may catch it."""


def main():
    """Fuzz, and print what came out."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("parsers", nargs="*", metavar="PARSER")
    arguments.add_argument("--seconds", type=float, default=180, help="of processor time for each parser")
    arguments.add_argument("--inputs", type=int, default=10**9, help="of each parser, at most")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--large", type=int, default=500, help="one change in so many makes a file of a megabyte")
    arguments.add_argument("--keep", type=Path, default=Path("faults"), help="where inputs with faults are kept")
    given = arguments.parse_args()
    # In memory, where there is such a place: most of the time would go into waiting for the disk.
    tempfile.tempdir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    os.fsync = lambda file: None
    logging_off()
    names = list(PARSERS) if given.parsers == ["all"] else given.parsers
    if not names or set(names) - PARSERS.keys():
        arguments.error(f"give some of: all {' '.join(PARSERS)}")
    faults = sum(Fuzzing(name, given).run() for name in names)
    sys.exit(1 if faults else 0)


class Fuzzing:
    """One reader, and what is known of it."""

    def __init__(self, name, given):
        self.name, self.given, self.read = name, given, PARSERS[name].read
        self.originals = list(PARSERS[name].originals())
        self.found, self.kinds, self.counts = [], set(), collections.Counter()
        self.faults = {}
        # What the process is reading: its length, and the content.
        self.shared = mmap.mmap(-1, ROOM)

    def run(self):
        """Fuzz; return the number of different faults."""
        for content in self.originals:
            # Whatever is compiled or imported at first use is so before the limits hold.
            with tempfile.TemporaryDirectory() as folder, contextlib.suppress(SpeechtlError):
                self.read(Path(folder), content)
        portion, spent, number = 0, 0.0, 0
        while spent < self.given.seconds and number < self.given.inputs:
            before = _children()
            told = self.in_process(portion, self.given.seconds - spent, min(PORTION, self.given.inputs - number))
            spent, portion = spent + _children() - before, portion + 1
            number += sum(told["counts"].values())
            self.counts.update(told["counts"])
            self.kinds |= told["kinds"]
            self.found = (self.found + told["found"])[-MOST:]
            for place, (fault, content) in told["faults"].items():
                self.report(place, fault, content)
        told = ", ".join(f"{count:,} {what}" for what, count in sorted(self.counts.items()))
        kinds = f"{len(self.kinds)} different errors, {len(self.faults)} faults"
        print(f"{self.name}: {number:,} inputs, {told}, {kinds}, {spent:.0f} s", flush=True)
        return len(self.faults)

    def report(self, place, fault, content):
        """Keep an input at fault, and say so, once for each place."""
        if place not in self.faults:
            self.faults[place] = fault
            self.given.keep.mkdir(parents=True, exist_ok=True)
            path = self.given.keep / f"{self.name}-{len(self.faults)}"
            path.write_bytes(content)
            print(f"{self.name}: {fault}\n    {place}\n    {path}", flush=True)

    def in_process(self, portion, seconds, inputs):
        """Read inputs in a process of their own; return what came out of it."""
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(
                    self.read_inputs(random.Random(f"{self.name} {self.given.seed} {portion}"), seconds, inputs), pipe
                )
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        if told:
            return pickle.loads(told)
        length = int.from_bytes(self.shared[:8], "little")
        fault = f"the process died of signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "the process ended"
        faults = {fault: (fault, self.shared[8 : 8 + length])}
        # How many came before is not known.
        return {"counts": {"crashed": 1}, "kinds": set(), "found": [], "faults": faults}

    def read_inputs(self, rng, seconds, inputs):
        """Read inputs for some time."""
        counts, kinds, found, faults = collections.Counter(), set(), [], {}
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 2 * MEGABYTES * 10**6, hard))
        signal.signal(signal.SIGPROF, too_slow)
        begun = started = time.process_time()
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root) / "x"
            while started - begun < seconds and sum(counts.values()) < inputs:
                pool = self.found + found
                sources = [rng.choice(pool)] if pool and rng.random() < 0.5 else self.originals
                content = random_file(sources, rng, self.given.large)[: ROOM - 8]
                self.shared[: 8 + len(content)] = len(content).to_bytes(8, "little") + content
                folder.mkdir()
                fault, place, kind = self.outcome(folder, content)
                shutil.rmtree(folder, ignore_errors=True)
                now = time.process_time()
                taken, started = now - started, now
                counts["at fault" if fault else "refused" if kind else "read"] += 1
                if kind and kind not in self.kinds and kind not in kinds:
                    kinds.add(kind)
                    if len(content) <= LONGEST:
                        found.append(content)
                if fault is None and taken > SECONDS * max(len(content) / 1e6, 1):
                    fault, place = f"{taken:.1f} s for {len(content):,} bytes", "slow"
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                if fault is None and (peak - before) / 1000 > MEGABYTES:
                    fault, place = f"{(peak - before) / 1000:.0f} MB for {len(content):,} bytes", "memory"
                before = max(before, peak) if place == "memory" else before
                if fault is not None:
                    faults[place] = fault, content
        return {"counts": dict(counts), "kinds": kinds, "found": found, "faults": faults}

    def outcome(self, folder, content):
        """Return what was wrong, where, and of what kind the error of speechtl was; None and "" for nothing."""
        # By the clock of the processor: others work on the machine, too.
        signal.setitimer(signal.ITIMER_PROF, 10 * SECONDS)
        try:
            self.read(folder, content)
        except SpeechtlError as error:
            message = str(error).replace(str(folder), "")
            if not message.strip():
                return "an error without a message", repr(error), ""
            return None, None, " ".join(_PARTICULAR.sub("", message[:300]).split())
        except BaseException as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in frames if "/speechtl/" in frame.filename] or frames
            place = f"{own[-1].filename.rpartition('/speechtl/')[2]}:{own[-1].lineno} {own[-1].line}"
            return f"{type(error).__name__}: {str(error)[:200]}", place, ""
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return None, None, ""


def _children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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

"""Every verb that writes, killed, out of space, refused, robbed of its inputs, started twice: is anything lost?

    python tests/benchmarks/faults.py [--verb NAME ...] [--kind NAME ...] [--kills N] [--folder DIR]

A verb runs in a fork of a process that has everything loaded, on a file system of its own in memory that can be full
and read-only; `failing_writes.c` stands between it and the system, so that it can be killed in the middle of a write,
or told that a write, an fsync or a rename failed, whichever library made it. Results are kept in DIR/results.jsonl, and
a run goes on where the last one stopped; ``--table`` prints the table alone. Needs Linux, a C compiler, and root or
`unshare -r`.
"""

import argparse
import ctypes
import errno
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "faults"), str(TESTS.parent)]
for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[name] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import interruptions as faults  # noqa: E402
from writing_verbs import LIGHT, MORE, VERBS, left_by, make_speech, make_stored, strays  # noqa: E402

from speechtl.data.datadir import DataDir  # noqa: E402
from speechtl.errors import SpeechtlError  # noqa: E402
from speechtl.files import finish_replacing  # noqa: E402

PAGE = 4096
# Changes of files between a fault and the next tried, where there are more.
MOST = {"write": 12, "full": 12, "error": 10, "inodes": 4}
KINDS = ("kill", "write", "full", "inodes", "error", "refused", "input", "clock", "twice", "no locks")


class Writes:
    """The number of writes so far, as a counter of `interruptions.Forked`."""

    def __init__(self, library):
        library.writes_so_far.restype = ctypes.c_long
        self.library = library

    def __getitem__(self, place):
        return self.library.writes_so_far()


class Bench:
    """One verb, a disk of its own, and its result without any fault."""

    def __init__(self, name, folder):
        self.name, self.verb = name, VERBS[name]
        self.material, self.disk = folder / "material", folder / "disk"
        self.out = self.disk / "out"
        os.environ["TMPDIR"], os.environ["SPEECHTL_CACHE"] = str(self.disk / "tmp"), str(self.disk / "cache")
        import tempfile

        tempfile.tempdir = None
        self.pages, self.before = 0, None
        self.remount("size=64m,nr_inodes=4000")
        # What is compiled and cached at the first time is there at the second.
        for counter in (self.at_write(-1), faults.at_change(self.out, None)):
            self.old = self.start()
            used, inodes = self.used()
            child = faults.Forked(self.act, counter)
            peak = (0, 0)
            while not os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                now = self.used()
                peak = tuple(map(max, peak, (now[0] - used, now[1] - inodes)))
                time.sleep(0.0005)
            outcome, count = child.wait()
            self.writes, self.changes = (count, 0) if counter.__name__ == "write" else (self.writes, count)
            self.seconds = time.monotonic() - child.started
            if outcome != "done":
                raise SystemExit(f"{name}: without any fault: {outcome}")
            self.whole = left_by(self.out)
        if self.whole == self.old or strays(self.disk):
            raise SystemExit(f"{name}: nothing written, or left: {strays(self.disk)}")
        self.peak_pages, self.peak_inodes = peak

    def act(self):
        self.verb.act(self.material, self.out)

    def start(self):
        """Make the state before."""
        for path in self.disk.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in (self.out, self.disk / "tmp", self.disk / "cache"):
            path.mkdir()
        # A file system of no pages would be one without a limit.
        (self.disk / "ballast").write_bytes(bytes(PAGE))
        if self.verb.before is not None and self.before is None:
            child = faults.Forked(lambda: self.verb.before(self.material, self.out))
            outcome, _ = child.wait()
            if outcome != "done":
                raise SystemExit(f"{self.name}: before: {outcome}")
            self.before = self.disk.parent / "before" / self.name.replace("/", " ")
            shutil.rmtree(self.before, ignore_errors=True)
            shutil.copytree(self.out, self.before, symlinks=True)
        elif self.before is not None:
            shutil.copytree(self.before, self.out, symlinks=True, dirs_exist_ok=True)
        return left_by(self.out)

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", self.disk], check=True)

    def used(self):
        """Return the pages and inodes in use."""
        about = os.statvfs(self.disk)
        return (about.f_blocks - about.f_bfree) * about.f_bsize // PAGE, about.f_files - about.f_ffree

    def changed_at(self, number, count):
        """Return the change of a file that comes at a fraction of the way."""
        return number * self.changes // max(count, 1)

    def at_write(self, step, error=0, lasting=False):
        """Return a fault: a write, an fsync or a renaming of files kills the process, or fails."""

        def write():
            library = ctypes.CDLL(None)
            library.failing_writes(os.fsencode(self.out), ctypes.c_long(step), error, int(lasting))
            return Writes(library)

        return write

    def faults(self, kinds, kills):
        """Yield the kind, the number and a function that makes a fault and returns the outcome."""
        if "kill" in kinds:
            for number in range(kills):
                yield "kill", number, lambda n=number: self.kill(n)
        if "write" in kinds:
            count = min(self.writes, MOST["write"])
            for number in range(count):
                step = number * self.writes // count
                why = (errno.ENOSPC, errno.EIO)[number % 2]
                yield "write", number, lambda s=step, e=why, n=number: self.run(self.at_write(s, e, n % 3 > 0))
        for kind, needed in (("full", self.peak_pages), ("inodes", self.peak_inodes)):
            if kind in kinds:
                count = min(needed + 1, MOST[kind])
                for number in range(count):
                    yield kind, number, lambda k=kind, n=number * needed // count: self.full(k, n)
        if "error" in kinds:
            for number in range(min(self.changes, MOST["error"])):
                step = self.changed_at(number, min(self.changes, MOST["error"]))
                yield "error", number, lambda n=number, s=step: self.refuse("broken" if n % 2 else "full", s, n % 3 > 0)
        if "refused" in kinds:
            yield "refused", 0, self.read_only
            for number in range(6):
                step = self.changed_at(number // 2, 3)
                yield "refused", 1 + number, lambda n=number, s=step: self.refuse(("read-only", "denied")[n % 2], s)
        if "input" in kinds and self.verb.inputs:
            for number in range(9):
                yield "input", number, lambda n=number: self.robbed(n)
        if "clock" in kinds:
            for number in range(2):
                yield "clock", number, lambda n=number: self.run(faults.jumping_clock(n))
        if "twice" in kinds:
            for number in range(4):
                yield "twice", number, lambda n=number: self.twice(n, ())
        if "no locks" in kinds:
            for number in range(2):
                yield "no locks", number, lambda n=number: self.twice(n, (faults.without_locks,))

    def run(self, *installed):
        return faults.Forked(self.act, *installed).wait()[0]

    def kill(self, number):
        """At a moment of time, before a change, some milliseconds after one, or in the middle of a write."""
        draw = random.Random(f"{self.name} {number}")
        if number % 2:
            return self.run(self.at_write(draw.randrange(max(self.writes, 1))))
        number //= 2
        if number % 3 == 0:
            child = faults.Forked(self.act)
            time.sleep(draw.uniform(0, self.seconds))
            child.kill()
            return child.wait()[0]
        step = draw.randrange(max(self.changes, 1))
        do = faults.killed if number % 3 == 1 else faults.killed_soon(draw.uniform(0, 0.003))
        return self.run(faults.at_change(self.out, step, do))

    def full(self, kind, free):
        pages, inodes = self.used()
        limit = f"size={(pages + free) * PAGE}" if kind == "full" else f"nr_inodes={inodes + free}"
        self.remount(limit)
        try:
            return self.run()
        finally:
            self.remount("size=64m,nr_inodes=4000")

    def refuse(self, why, step, once=False):
        return self.run(faults.at_change(self.out, step, faults.refusing(why, once)))

    def read_only(self):
        self.remount("ro")
        try:
            return self.run()
        finally:
            self.remount("rw,size=64m,nr_inodes=4000")

    def robbed(self, number):
        """While it runs, an input vanishes, is cut or is overwritten; then it is there again, looking untouched."""
        draw = random.Random(f"input {self.name} {number}")
        paths = [path for pattern in self.verb.inputs for path in sorted(self.material.glob(pattern)) if path.is_file()]
        path = draw.choice(paths)
        kept = path.with_name(path.name + ".kept")
        shutil.copy2(path, kept)

        def rob(*_):
            content = path.read_bytes()
            damaged = content[: len(content) // 2]
            if number % 3 == 0:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(damaged if number % 3 == 1 else damaged + bytes(draw.randbytes(len(content) // 2)))

        try:
            if number % 2:
                child = faults.Forked(self.act)
                time.sleep(draw.uniform(0, self.seconds))
                rob()
                return child.wait()[0]
            step, done = draw.randrange(max(self.changes, 1)), []
            return self.run(faults.at_change(self.out, step, lambda *_: done or (done.append(1), rob())))
        finally:
            kept.rename(path)

    def twice(self, number, installed):
        first = faults.Forked(self.act, *installed)
        time.sleep(random.Random(number).uniform(0, 0.5 * self.seconds) if number else 0)
        second = faults.Forked(self.act, *installed)
        outcomes = [first.wait()[0], second.wait()[0]]
        wrong = [one for one in outcomes if one != "done" and not one.startswith("refused")]
        return wrong[0] if wrong else "done" if "done" in outcomes else "neither: " + " / ".join(outcomes)

    def judge(self, kind, fault):
        """Make one fault; return what was lost, "" for nothing, and what the verb said."""
        self.start()
        outcome = fault()
        # As whoever reads a folder does that was to be replaced as a whole.
        for pending in sorted(self.out.rglob(".replacing")):
            finish_replacing(pending.parent)
        left = left_by(self.out)
        expected = {"kill": ("killed", "done"), "clock": ("done",), "twice": ("done",), "no locks": ("done",)}
        if not outcome.startswith(expected.get(kind, ("done", "refused"))):
            return f"ended: {outcome}", outcome
        if outcome == "done" and kind != "input" and left != self.whole:
            return f"done, but other content: {self.different(left)}", outcome
        # An input that was another is a reason for another result, and to begin anew.
        if outcome == "done" and left != self.whole:
            return "", outcome
        return self.lost(left) or self.again(left), outcome

    def lost(self, left):
        """Return what is lost or half-written after a fault."""
        missing = [name for name in self.old if name not in left]
        if missing and left != self.whole:
            return f"lost: {missing}"
        growing = {
            str(path.relative_to(self.out))
            for pattern in self.verb.growing
            for path in self.out.glob(pattern)
            if path.is_file()
        }
        for name, content in left.items():
            rough = name.replace("TOKEN", "")
            known = any(rough.split("-")[0] == one.split("-")[0] or name == one for one in growing)
            if not known and content not in (self.old.get(name), self.whole.get(name)):
                return f"neither old nor new: {name}"
        for name in self.verb.data:
            try:
                loaded = DataDir.load(self.out / name)
            except SpeechtlError:
                continue
            tables = {table: entries for table, _, entries in loaded.tables() if entries}
            if tables not in (self.tables(self.old, name), self.tables(self.whole, name)):
                return f"half of the tables of {name} are new"
        return ""

    def tables(self, files, name):
        """Return the tables of a data directory as they are loaded, from the content of files."""
        place = self.disk / "tables" / name
        place.mkdir(parents=True)
        for path, content in files.items():
            if path.startswith(f"{name}/") and path.count("/") == 1:
                (place / path.removeprefix(f"{name}/")).write_bytes(content)
        try:
            return {table: entries for table, _, entries in DataDir.load(place).tables() if entries}
        except SpeechtlError:
            return None
        finally:
            shutil.rmtree(self.disk / "tables")

    def again(self, left):
        """Run the verb once more; return what is other than without the fault."""
        outcome = self.run()
        now = left_by(self.out)
        if outcome != "done" and not (outcome.startswith("refused") and now == self.whole):
            return f"again: {outcome}"
        if now != self.whole:
            return f"again: other content: {self.different(now)}"
        # TensorFlow removes the code that it generates when Python ends by itself, which a forked process does not.
        own = [path for path in (self.disk / "tmp").iterdir() if not path.name.startswith("__")]
        found = strays(self.disk) + [str(path) for path in own]
        return f"again: left behind: {found}" if found else ""

    def different(self, files):
        names = files.keys() | self.whole.keys()
        return sorted(name for name in names if files.get(name) != self.whole.get(name))


def table(results):
    """Return the lines of the table and of the ratios."""
    counts = Counter((one["verb"], one["kind"], not one["lost"]) for one in results)
    kinds = [kind for kind in KINDS if any(one["kind"] == kind for one in results)]
    verbs = [verb for verb in VERBS if any(one["verb"] == verb for one in results)]

    def cell(verb, kind):
        good, bad = (sum(counts[v, kind, well] for v in verb) for well in (True, False))
        return f"{good} of {good + bad}" if good + bad else "–"

    lines = ["| verb | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    lines += [f"| {verb} | " + " | ".join(cell([verb], kind) for kind in kinds) + " |" for verb in verbs]
    lines.append("| all | " + " | ".join(cell(verbs, kind) for kind in kinds) + " |")
    for verb in verbs:
        own = [one for one in results if one["verb"] == verb]
        lines.append(f"ratio survived {verb.replace(' ', '_')} {sum(not one['lost'] for one in own) / len(own):.4f}")
    return lines


def prepare(folder, heavy):
    """Write the material if it is not there, load what the verbs load, and mount the disk."""
    for name, make in (("stored", make_stored), *([("speech", make_speech)] if heavy else [])):
        mark = folder / f"{name}.made"
        if not mark.exists():
            (folder / "material").mkdir(parents=True, exist_ok=True)
            outcome, _ = faults.Forked(lambda make=make: make(folder / "material")).wait(3600)
            if outcome != "done":
                raise SystemExit(f"{folder}/material: {outcome}; remove it and try again")
            mark.touch()
    if heavy:
        import importlib
        import pkgutil

        import speechtl

        for module in pkgutil.walk_packages(speechtl.__path__, "speechtl."):
            importlib.import_module(module.name)
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", disk], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verb", action="append", choices=VERBS)
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/speechtl-faults"))
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    kept = folder / "results.jsonl"
    results = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    if arguments.table:
        print(*table(results), sep="\n")
        return
    if "SPEECHTL_OWN_MOUNTS" not in os.environ:
        os.environ["SPEECHTL_OWN_MOUNTS"] = "1"
        folder.mkdir(parents=True, exist_ok=True)
        library, source = folder / "failing_writes.so", Path(__file__).with_name("failing_writes.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        os.environ["LD_PRELOAD"] = str(library)
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        os.execvp("unshare", ["unshare", "--mount", *user, sys.executable, *sys.argv])
    verbs = arguments.verb or list(VERBS)
    prepare(folder, heavy=not set(verbs) <= LIGHT.keys() | MORE.keys())
    done = {(one["verb"], one["kind"], one["number"]) for one in results}
    for name in verbs:
        bench = Bench(name, folder)
        print(f"{name}: {bench.seconds:.2f} s, {bench.changes} changes, {bench.peak_pages} pages", flush=True)
        for kind, number, fault in bench.faults(arguments.kind or KINDS, arguments.kills):
            if (name, kind, number) in done:
                continue
            lost, outcome = bench.judge(kind, fault)
            if lost:
                print(f"{name}: {kind} {number}: {lost[-500:]}", flush=True)
            one = {"verb": name, "kind": kind, "number": number, "lost": lost, "outcome": outcome[:300]}
            results.append(one)
            with open(kept, "a", encoding="utf-8") as file:
                file.write(json.dumps(one, ensure_ascii=False) + "\n")
    print(*table([one for one in results if one["verb"] in verbs]), sep="\n")


if __name__ == "__main__":
    main()

"""Training by several processes against training by one: four workers, one of which dies, and three that go on.

    python tests/benchmarks/workers.py [--workers N]

The workers are processes of this machine, each with one thread, which train a toy model on whistled speech together
(MultiWorkerMirroredStrategy), with every batch in two parts (``training.accumulate``). One is killed in the second
epoch; the others must name it. As many as are left continue. Prints the losses of every epoch beside those of one
process, and lines ``ratio <name> <value>``: seconds until the last worker has ended after the kill, and the largest
relative difference of a loss, which is rounding.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=4)
    count = parser.parse_args().workers
    sys.path.insert(0, str(TESTS))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        config = make(folder)
        finish([start(config, folder / "one")])
        workers = start_all(config, folder / "many", count)
        wait_for_epoch(folder / "many", workers)
        workers[-1][0].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        said = finish(workers[:-1], code=1)
        seconds = time.monotonic() - killed
        for number, text in enumerate(said):
            message = next((line for line in text.splitlines() if "has died" in line), "")
            print(f"worker {number} said: {message}")
            if f"worker {count - 1} (" not in message:
                raise SystemExit(f"worker {number} did not name the one that died:\n{text}")
        finish(start_all(config, folder / "many", count - 1))
        one, many = (losses(folder / name) for name in ("one", "many"))
        print(f"{'epoch':>5} {'one process':>12} {f'{count}, then {count - 1}':>12}")
        for epoch, (first, second) in enumerate(zip(one, many, strict=True), start=1):
            print(f"{epoch:>5} {first:>12.6f} {second:>12.6f}")
        print(f"ratio workers_end_after_kill_seconds {seconds:.1f}")
        worst = max(abs(first - second) / abs(first) for first, second in zip(one, many, strict=True))
        print(f"ratio workers_loss_difference {worst:.2e}")


def make(folder: Path) -> Path:
    """Write whistled speech and a config."""
    from whistled_speech import train_on_whistles

    train_on_whistles(folder)
    text = (
        (folder / "conf.toml")
        .read_text()
        .replace("epochs = 7", "epochs = 4\naccumulate = 2\ncheckpoint_minutes = 0.001")
    )
    # Masks do not depend on the worker that draws them; dropout does.
    text = text.replace("size = 32", "size = 32\ndropout = 0.0").replace(
        "[model.encoder]", "[model]\nhead_dropout = 0.0\n[model.encoder]"
    )
    (folder / "workers.toml").write_text(text)
    return folder / "workers.toml"


def start(
    config: Path, directory: Path, workers: tuple[str, ...] = (), index: int = 0
) -> tuple[subprocess.Popen, Path]:
    environment = dict(os.environ, OMP_NUM_THREADS="1", TF_NUM_INTRAOP_THREADS="1", CUDA_VISIBLE_DEVICES="-1")
    environment.pop("TF_CONFIG", None)
    if workers:
        task = {"type": "worker", "index": index}
        environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": task})
    log = directory.with_name(f"{directory.name}-{len(workers)}-{index}.log")
    with open(log, "w") as file:
        command = [sys.executable, "-m", "speechtl.cli.main", "train", str(config), str(directory)]
        return subprocess.Popen(command, env=environment, stdout=file, stderr=file), log


def start_all(config: Path, directory: Path, count: int) -> list[tuple[subprocess.Popen, Path]]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = tuple(f"127.0.0.1:{one.getsockname()[1]}" for one in sockets)
    for one in sockets:
        one.close()
    return [start(config, directory, addresses, index) for index in range(count)]


def wait_for_epoch(directory: Path, workers: list[tuple[subprocess.Popen, Path]]) -> None:
    """Wait until the first epoch is over."""
    while not (directory / "state" / "epoch-0001.h5").exists():
        if any(process.poll() is not None for process, _ in workers):
            raise SystemExit("a worker ended too early:\n" + "\n".join(log.read_text()[-2000:] for _, log in workers))
        time.sleep(0.1)


def finish(workers: list[tuple[subprocess.Popen, Path]], code: int = 0) -> list[str]:
    """Wait for processes, which must end with an exit code; return what they said."""
    for process, log in workers:
        if process.wait(timeout=600) != code:
            raise SystemExit(f"exit code {process.returncode} (expected {code}):\n{log.read_text()[-3000:]}")
    return [log.read_text() for _, log in workers]


def losses(directory: Path) -> list[float]:
    events = map(json.loads, (directory / "log.jsonl").read_text().splitlines())
    return [event["train_loss"] for event in events if event["event"] == "epoch"]


if __name__ == "__main__":
    main()

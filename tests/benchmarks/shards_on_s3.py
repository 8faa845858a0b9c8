"""Shards read from an S3 server on this machine: moto, which is not speechtl's and answers as Amazon's does.

    python -m venv /tmp/moto && /tmp/moto/bin/pip install 'moto[s3]' flask flask-cors
    python tests/benchmarks/shards_on_s3.py --moto-python /tmp/moto/bin/python

Makes shards of noise, puts them into a bucket, validates them there, and reads audio from there and from the folder,
which must be the same. Prints ``ratio s3_seconds <seconds for all of it>``.
"""

import argparse
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import soundfile

from speechtl.audio.waveform import read_waveform
from speechtl.data.datadir import DataDir
from speechtl.data.shard import shard
from speechtl.data.validate import validate

RATE = 16000


def make(folder: Path) -> Path:
    data, rng = DataDir(folder / "data"), np.random.default_rng(0)
    for number in range(24):
        name, path = f"s-{number:02d}", folder / f"{number:02d}.wav"
        soundfile.write(path, rng.normal(0, 0.1, RATE * 2), RATE)
        data.wav_scp[name], data.utt2spk[name], data.text[name] = str(path), "s", "noise"
    data.save(data.path)
    shard(DataDir.load(data.path), folder / "shards", megabytes=0.3)
    return folder / "shards"


def put(place: str, content: bytes = b"") -> None:
    """Put something into a server that looks at no signature."""
    signature = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=x"
    headers = {"Content-Type": "application/octet-stream", "Authorization": signature}
    urllib.request.urlopen(urllib.request.Request(place, content, headers, method="PUT")).close()


def wait_for(place: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(place).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("moto does not answer; see above how it is installed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moto-python", required=True, help="the Python that has moto")
    arguments = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [arguments.moto_python, "-m", "moto.server", "-p", str(port)]
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    server = subprocess.Popen(command, env=plain, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        with tempfile.TemporaryDirectory() as made:
            folder = make(Path(made))
            wait_for(address)
            put(f"{address}/speech")
            for path in folder.iterdir():
                put(f"{address}/speech/set/{path.name}", path.read_bytes())
            keys = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
            os.environ.update(keys)
            begin = time.perf_counter()
            report = validate("s3://speech/set", decode=True)
            print(report.summary())
            local, remote = DataDir.load(folder), DataDir.load("s3://speech/set")
            same = all(
                np.array_equal(read_waveform(local.wav_scp[name], RATE), read_waveform(remote.wav_scp[name], RATE))
                for name in local.utterance_ids
            )
            if report.problems or not same or local.text != remote.text:
                raise SystemExit("\n".join(["what was read from S3 is something else", *map(str, report.problems)]))
            print(f"ratio s3_seconds {time.perf_counter() - begin:.2f}")
    finally:
        server.terminate()


if __name__ == "__main__":
    main()

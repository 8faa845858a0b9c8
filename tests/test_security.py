"""What SECURITY.md promises, as far as no other test holds it."""

import ast
import gzip
import io
import os
import re
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import run

import speechtl
from speechtl.audio.header import AudioHeader
from speechtl.audio.waveform import read_waveform
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, LexiconError, ModelError, SpeechtlError
from speechtl.features.archives import read_double_matrix, read_matrix, write_ark_scp
from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme
from speechtl.grammar.read import read_language_model
from speechtl.pretrained.hub import wanted_files

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(speechtl.__file__).parent

# What carries out what it is given, and where something is carried out that nobody else wrote.
EXECUTES = {"eval", "exec", "__import__", "system", "popen", "Popen", "execv", "spawnv", "load_module"}
ALLOWED = {
    # Commands in wav.scp, under --allow-pipes.
    ("audio/pipe.py", "shell"),
    # Its find_class gives inert objects to the few names that tensors need.
    ("pretrained/torch_file.py", "Unpickler"),
    # What the process itself, or the one that uses the cluster, has pickled for its workers.
    ("pieces.py", "pickle.loads"),
    ("cluster/piece_task.py", "pickle.loads"),
    # The wrapper of a kernel, written by itself from the types of the arguments; nothing is read.
    ("kernels/compile.py", "exec"),
}


def test_every_promise_has_its_test():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 15
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not re.search(rf"^def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert not missing
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert not [row for row in rows if "::" not in row]


def executed(tree):
    """Yield the names of calls that may carry out what they are given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (base.attr for base in node.bases if getattr(base, "attr", "") == "Unpickler")
        if not isinstance(node, ast.Call):
            continue
        owner = getattr(getattr(node.func, "value", None), "id", None)
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in EXECUTES and owner not in ("re", "self", "regex"):
            yield name
        if (name in ("load", "loads") and owner in ("pickle", "marshal", "dill", "joblib", "yaml", "torch")) or (
            name == "load_model" and owner in ("keras", "models")
        ):
            yield f"{owner}.{name}"
        for keyword in node.keywords:
            value = getattr(keyword.value, "value", None)
            if keyword.arg in ("shell", "allow_pickle", "trust_remote_code") and value is not False:
                yield keyword.arg


def test_no_reader_executes_what_it_reads():
    source = "eval(x); pickle.load(f); np.load(f, allow_pickle=True); run(c, shell=True); os.system(c); re.compile(x)"
    assert list(executed(ast.parse(source))) == ["eval", "pickle.load", "allow_pickle", "shell", "system"]
    found = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {(str(path.relative_to(PACKAGE)), name) for name in executed(tree)}
    assert found == ALLOWED


def test_commands_run_only_under_allow_pipes(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(1600), 16000)
    mark = tmp_path / "ran"
    command = f"touch {mark}; cat {tmp_path / 'a.wav'} |"
    for read in (AudioHeader.read, lambda audio: read_waveform(audio, 16000)):
        with pytest.raises(DataError, match="allow-pipes"):
            read(command)
    # Kaldi's own reader would run such an entry of feats.scp or cmvn.scp.
    with write_ark_scp(tmp_path / "f.ark", tmp_path / "f.scp") as write:
        write("a", np.ones((3, 4), np.float32))
    for end in (" |", "|", "|[0:1]", " |[0:1]", " | [0:1]", "|:0", "| :0[0:1]"):
        for read in (read_matrix, read_double_matrix):
            with pytest.raises(DataError):
                read(f"touch {mark}; cat {tmp_path / 'f.ark'}{end}")
            assert not mark.exists(), end
    data = DataDir(tmp_path / "d", wav_scp={"a": command}, utt2spk={"a": "a"}, text={"a": "x"})
    data.save(tmp_path / "d")
    (tmp_path / "conf.toml").write_text("[features]\n")
    for words in (
        ["data validate", tmp_path / "d", "--decode"],
        ["data fix", tmp_path / "d", "--dry-run"],
        ["data split", tmp_path / "d", tmp_path / "e", tmp_path / "f"],
        ["features", tmp_path / "d"],
    ):
        try:
            run(*words)
        except SystemExit:
            pass
        except SpeechtlError as error:
            assert str(error)
        assert not mark.exists(), words
    read_waveform(command, 16000, allow_pipes=True)
    assert mark.exists()


def test_ids_are_no_paths(tmp_path):
    ids = ["../../out", "/etc/out", "..", "a/../../out", ".hidden"]
    data = DataDir(tmp_path / "d", wav_scp={}, utt2spk=dict.fromkeys(ids, "s"))
    for name in ids:
        soundfile.write(tmp_path / "a.wav", np.full(4000, 0.1), 16000)
        data.wav_scp[name] = str(tmp_path / "a.wav")
    data.text = dict.fromkeys(ids, "x")
    data.save(tmp_path / "d")
    inside = tmp_path / "x" / "y"
    for kind in ("mfa", "audiofolder", "commonvoice", "ljspeech"):
        try:
            run("data export", tmp_path / "d", inside / kind, to=kind)
        except SystemExit:
            pass
        except SpeechtlError as error:
            assert str(error)
    outside = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {"a.wav"}
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith("out") and inside not in path.parents]
    assert not [path for path in (Path("/etc/out.wav"), Path("/etc/out.lab"), Path("/etc/out.txt")) if path.exists()]
    assert outside


def test_no_code_is_downloaded():
    present = ["modeling.py", "config.json", "model.safetensors", "pytorch_model.bin", "run.sh", "x.pkl", "README.md"]
    assert sorted(wanted_files(present)) == ["README.md", "config.json", "model.safetensors"]


def test_a_graph_reads_no_other_file(tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from speechtl.runtime.session import Session

    (tmp_path / "here").mkdir()
    (tmp_path / "secret").write_bytes(bytes(8))
    monkeypatch.chdir(tmp_path / "here")
    for place in ("../secret", str(tmp_path / "secret")):
        kind = onnx.TensorProto.FLOAT
        weight = onnx.TensorProto(name="w", data_type=kind, dims=[2], data_location=onnx.TensorProto.EXTERNAL)
        for key, value in (("location", place), ("offset", "0"), ("length", "8")):
            weight.external_data.add(key=key, value=value)
        node = onnx.helper.make_node("Identity", ["w"], ["y"])
        output = onnx.helper.make_tensor_value_info("y", kind, [2])
        graph = onnx.helper.make_graph([node], "g", [], [output], [weight])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
        (tmp_path / "g.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match="ONNX Runtime cannot load it"):
            Session(tmp_path / "g.onnx", {})


def test_a_small_file_takes_little_memory(tmp_path):
    """Files of some kilobytes that claim, or unpack to, gigabytes."""
    (tmp_path / "lm.arpa.gz").write_bytes(gzip.compress(b"\\data\\\n" + bytes(200_000_000), 1))
    with (
        zipfile.ZipFile(tmp_path / "g2p.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w") as file,
    ):
        for _ in range(200):
            file.write(bytes(1_000_000))
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**11,)})
    with zipfile.ZipFile(tmp_path / "claims.npz", "w") as archive:
        archive.writestr("about.npy", head.getvalue())
    rows = (2**31 - 1).to_bytes(4, "little")
    (tmp_path / "feats.ark").write_bytes(b"\0BFM \4" + rows + b"\4" + rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read, name, kind in (
        (read_language_model, "lm.arpa.gz", LexiconError),
        (GraphemeToPhoneme.load, "g2p.npz", LexiconError),
        (GraphemeToPhoneme.load, "claims.npz", LexiconError),
        (lambda path: read_matrix(str(path)), "feats.ark", DataError),
    ):
        with pytest.raises(kind, match=re.escape(name)):
            read(tmp_path / name)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_onnx_runtime_reports_nothing(tmp_path):
    code = "from speechtl.runtime.session import load_onnxruntime; load_onnxruntime(); import os; print(os.environ)"
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True)
    assert "'ORT_DISABLE_TELEMETRY': '1'" in done.stdout, done.stderr
    # Where telemetry is on, it keeps its session in a file.
    assert not list(tmp_path.iterdir())

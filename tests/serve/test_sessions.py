"""Recordings, words, transcripts and speakers of a session, through the interface."""

import contextlib
import io
import json
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from spoken_numbers import PHONES, RATE, NumberRecogniser, say, wav

from speechtl.recognition.results import WRITERS
from speechtl.serve.limits import Limits


@pytest.fixture
def begin():
    return lambda client: f"/api/sessions/{client.post('/api/sessions').json()['session']}"


def test_what_the_server_says_of_itself(client):
    about = client.get("/api/about").json()
    assert about["model"] == "numbers" and about["languages"] == ["xx"] and about["finds_words"]
    assert about["phones"] == {"xx": [phone for phone in PHONES.phones if phone != "sil"]}
    assert "exported file" in about["why_not_adaptable"] and not about["keeps_audio"]


def test_a_recording_to_a_transcript_and_every_format(client, session):
    answer = client.post(f"{session}/transcripts", content=wav(say([1, 2, 0, 3])))
    assert answer.status_code == 201
    found = answer.json()
    assert found["text"] == "1 2 3" and len(found["segments"]) == 2 and found["seconds"] == 0.4
    for form, writer in WRITERS.items():
        file = client.get(f"{session}/transcripts/{found['transcript']}?format={form}")
        assert file.status_code == 200 and file.text.strip()
        assert file.headers["Content-Disposition"] == f'attachment; filename="recording{writer.suffix}"'
    shown = json.loads(client.get(f"{session}/transcripts/{found['transcript']}").text)
    assert shown["segments"] == found["segments"]
    assert client.get(f"{session}/transcripts/{found['transcript']}?format=doc").status_code == 422


def test_other_containers_and_rates(client, session):
    file = io.BytesIO()
    soundfile.write(file, np.stack([say([7, 7])] * 2, axis=1), RATE, format="FLAC")
    assert client.post(f"{session}/transcripts", content=file.getvalue()).json()["text"] == "7 7"
    raised = client.post(f"{session}/transcripts", content=wav(np.repeat(say([9]), 2), 2 * RATE)).json()
    assert raised["seconds"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "content", [b"", b"no audio at all", b"RIFF\x00\x00\x00\x00WAVE", b"#EXTM3U\nfile:///etc/passwd\n"]
)
def test_what_is_no_audio_is_told_and_goes_no_further(client, session, content):
    answer = client.post(f"{session}/transcripts", content=content)
    assert answer.status_code == 422 and "the recording" in answer.json()["error"]
    assert "root:" not in answer.text


def test_the_oldest_transcript_is_forgotten_first(client_of, begin):
    client = client_of(limits=Limits(transcripts=2))
    session = begin(client)
    names = [client.post(f"{session}/transcripts", content=wav(say([n]))).json()["transcript"] for n in (1, 2, 3)]
    assert [client.get(f"{session}/transcripts/{name}").status_code for name in names] == [404, 200, 200]


def test_words_are_guessed_written_used_listed_and_removed(client, session):
    guessed = client.post(f"{session}/pronunciations", json={"word": "bat"}).json()
    assert guessed["pronunciations"] == ["b a t"] and "guess" in guessed["notes"][0]
    assert client.get(f"{session}/words").json() == {"words": []}
    assert client.post(f"{session}/words", json={"word": "bat", "phones": "b ɑ t"}).json()["pronunciations"] == [
        "b a t"
    ]
    added = client.post(f"{session}/words", json={"word": "bat", "phones": "bas"}).json()
    assert added["pronunciations"] == ["b a t", "b a s"]
    assert client.post(f"{session}/transcripts", content=wav(say([3, 4]))).json()["text"] == "bat 4"
    assert [one["word"] for one in client.get(session).json()["words"]] == ["bat"]
    assert client.delete(f"{session}/words/bat").status_code == 204
    assert client.delete(f"{session}/words/bat").status_code == 404
    assert client.post(f"{session}/transcripts", content=wav(say([3, 4]))).json()["text"] == "3 4"


def test_words_that_cannot_be_added_change_nothing(client, session):
    client.post(f"{session}/words", json={"word": "bat"})
    for body in (
        {"word": "xyz"},
        {"word": "x y", "phones": "a"},
        {"word": "a=b"},
        {"word": "bad", "phones": "?!"},
        {"word": "bad", "phones": "a", "language": "de"},
        {"word": "refused", "phones": "a"},
        {},
    ):
        answer = client.post(f"{session}/words", json=body)
        assert answer.status_code == 422 and answer.json()["error"], body
    assert [one["word"] for one in client.get(f"{session}/words").json()["words"]] == ["bat"]


def test_words_are_limited(client_of, begin):
    client = client_of(limits=Limits(words=1))
    session = begin(client)
    assert client.post(f"{session}/words", json={"word": "bat"}).status_code == 201
    assert client.post(f"{session}/words", json={"word": "tab"}).status_code == 409


def test_a_word_is_heard_three_times_and_the_best_is_offered_first(client, session):
    assert client.post(f"{session}/heard", content=wav(say([1, 2]))).json() == {"phones": ["a", "a"]}
    heard = [["b", "a", "t"], ["b", "a", "s"], ["k", "a", "t"]]
    ranked = client.post(f"{session}/pronunciations", json={"word": "bat", "heard": heard}).json()["pronunciations"]
    assert ranked[0] == "b a t" and set(ranked) == {"b a t", "b a s", "k a t"}
    for wrong in ([[1]], ["a"], [["a"] * 101], [["a"]] * 10):
        assert client.post(f"{session}/pronunciations", json={"word": "x", "heard": wrong}).status_code == 422


def test_one_recogniser_reads_one_recording_at_a_time(client_of, begin):
    """Uploads at once wait for each other; the fake refuses to be interrupted."""
    from concurrent.futures import ThreadPoolExecutor

    client = client_of(NumberRecogniser(delay=0.02))
    session = begin(client)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(
            lambda n: client.post(f"{session}/transcripts", content=wav(say([n]))).json()["text"], range(1, 17)
        )
    assert list(found) == [str(n) for n in range(1, 17)]


@pytest.mark.parametrize("kept", [False, True])
def test_audio_is_deleted_unless_it_is_kept(client_of, begin, tmp_path, monkeypatch, kept):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    keep = tmp_path / "kept"
    keep.mkdir()
    client = client_of(source=tmp_path, keep=keep if kept else None)
    assert client.get("/api/about").json()["keeps_audio"] is kept
    session = begin(client)
    client.post(f"{session}/transcripts", content=wav(say([1, 2])))
    with client.websocket_connect(f"{session}/stream?rate={RATE}") as stream:
        stream.send_bytes((say([3]) * 32768).astype("<i2").tobytes())
        stream.send_text("end")
        while stream.receive_json()["type"] != "end":
            pass
    speaker = client.post(f"{session}/speakers", json={"name": "../../Anna"}).json()["speaker"]
    client.put(f"{session}/speakers/{speaker}/takes/0", content=wav(say([5] * 10)))
    (root,) = tmp_path.glob(".speechtl.~*")
    assert root.stat().st_mode & 0o077 == 0
    assert len(list(root.rglob("*.wav"))) == (3 if kept else 1)
    assert client.delete(session).status_code == 204
    assert not list(root.iterdir())
    # What is begun and not ended ends with the server.
    left = begin(client)
    speaker = client.post(f"{left}/speakers", json={"name": "Bert"}).json()["speaker"]
    client.put(f"{left}/speakers/{speaker}/takes/0", content=wav(say([5] * 10)))
    client_of.stop(client)
    assert not list(tmp_path.glob(".speechtl.~*"))
    assert len(list(tmp_path.rglob("*.wav"))) == (4 if kept else 0)
    assert "Anna" not in "".join(map(str, tmp_path.rglob("*")))
    texts = {json.loads(path.read_text())["text"] for path in keep.rglob("*.json")}
    assert texts == ({"1 2", "3"} if kept else set())


def test_sessions_that_nobody_uses_end(client_of, begin, monkeypatch):
    from speechtl.serve import app

    monkeypatch.setattr(app, "_LOOK", 0.02)
    client = client_of(limits=Limits(idle_minutes=0.5 / 60))
    idle, used = begin(client), begin(client)
    with client.websocket_connect(f"{used}/stream?rate={RATE}"):
        for _ in range(400):
            time.sleep(0.02)
            if len(client.app.state.desk.sessions._sessions) == 1:
                break
        time.sleep(0.6)
        assert client.get(used).status_code == 200
    assert client.get(idle).status_code == 404


@pytest.fixture
def worker(monkeypatch, tmp_path):
    """Stand in for the process that adapts: it says what it was asked, and that it has finished."""
    from speechtl.serve import adaptation_job

    script = tmp_path / "worker.py"
    script.write_text(
        "import json, sys, time, pathlib\n"
        "request = json.loads(sys.stdin.readline())\n"
        "takes = sorted(pathlib.Path(request['recordings']).iterdir())\n"
        "print(json.dumps({'stage': 'held-out speech', 'done': 1, 'total': 4}), flush=True)\n"
        "how = request['options'].get('rules')\n"
        "if how == 'fail': print(json.dumps({'error': 'too little speech'})); sys.exit()\n"
        "if how == 'crash': sys.exit(3)\n"
        "if how == 'long': time.sleep(60)\n"
        "print(json.dumps({'result': {'stored_alone': True, 'request': request, 'takes': [t.name for t in takes],\n"
        "  'texts': [t.read_text() for t in takes if t.suffix == '.txt'], 'comparisons': []}}))\n"
    )
    real = adaptation_job.asyncio.create_subprocess_exec

    def start(python, *arguments, **options):
        assert arguments == ("-m", "speechtl.serve.adaptation_worker")
        return real(python, str(script), **options)

    monkeypatch.setattr(adaptation_job.asyncio, "create_subprocess_exec", start)


def adaptation_of(client, speaker):
    for _ in range(400):
        found = client.get(speaker).json()
        if found["adaptation"]["state"] not in ("waiting", "running"):
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def record_three(client, session, name="Anna", **more):
    begun = client.post(f"{session}/speakers", json={"name": name, **more}).json()
    speaker = f"{session}/speakers/{begun['speaker']}"
    for number in range(3):
        noise = np.random.default_rng(number).normal(0, 0.001, 2 * RATE)
        noise[RATE // 2 : RATE] += 0.3 * np.sin(np.arange(RATE // 2))
        assert client.put(f"{speaker}/takes/{number}", content=wav(noise)).status_code == 201
    return speaker, begun


def test_a_speaker_reads_and_the_model_is_adapted_and_used(client_of, begin, worker, tmp_path):
    loaded = []

    def load(model, speaker):
        loaded.append((model, speaker))
        return NumberRecogniser(offset=0 if speaker is None else 100)

    client = client_of(load=load, source=tmp_path, adaptation={"rules": "ok", "add_words": ["w=a"]})
    session = begin(client)
    assert client.get("/api/about").json()["why_not_adaptable"] == ""
    client.post(f"{session}/words", json={"word": "bat"})
    speaker, begun = record_three(client, session, text="One two bat! Three four. Unheard words. six")
    assert begun["sentences"][:3] == ["One two bat!", "Three four.", "six"] and len(begun["sentences"]) == 10
    assert begun["coverage"]["unknown"] == ["Unheard", "words"] and begun["coverage"]["of_text"] == 3
    assert begun["coverage"]["covered"] == begun["coverage"]["phones"] == 5
    assert client.post(f"{speaker}/adaptation").status_code == 202
    found = adaptation_of(client, speaker)
    assert found["ready"] and found["adaptation"]["state"] == "done", found
    result = found["adaptation"]["result"]
    assert result["takes"] == ["00.txt", "00.wav", "01.txt", "01.wav", "02.txt", "02.wav"]
    assert result["texts"] == ["one two bat\n", "three four\n", "six\n"]
    assert result["request"]["source"] == str(tmp_path)
    assert result["request"]["options"] == {"rules": "ok", "add_words": ["w=a", "bat=b a t"], "language": "xx"}
    assert loaded[0] == ("numbers", None) and str(loaded[1][1]).endswith("/adapted")
    # It is in use, with the words; and may be changed.
    transcribe = lambda: client.post(f"{session}/transcripts", content=wav(say([3, 4]))).json()["text"]  # noqa: E731
    assert transcribe() == "bat 104"
    assert client.put(f"{session}/speaker", json={"speaker": None}).status_code == 200
    assert transcribe() == "bat 4"
    assert client.put(f"{session}/speaker", json={"speaker": begun["speaker"]}).status_code == 200
    assert client.get(session).json()["speaker"] == begun["speaker"] and transcribe() == "bat 104"
    # Another session hears the model as it is.
    assert client.post(f"{begin(client)}/transcripts", content=wav(say([3]))).json()["text"] == "3"
    assert client.delete(speaker).status_code == 204 and transcribe() == "bat 4"


@pytest.mark.parametrize(("how", "error"), [("fail", "too little speech"), ("crash", "ended early")])
def test_an_adaptation_that_fails_says_why(client_of, begin, worker, tmp_path, how, error):
    client = client_of(source=tmp_path, adaptation={"rules": how})
    speaker, begun = record_three(client, session := begin(client))
    client.post(f"{speaker}/adaptation")
    found = adaptation_of(client, speaker)
    assert found["adaptation"]["state"] == "failed" and error in found["adaptation"]["error"] and not found["ready"]
    assert client.put(f"{session}/speaker", json={"speaker": begun["speaker"]}).status_code == 409


def test_adaptations_wait_for_each_other_and_can_be_stopped(client_of, begin, worker, tmp_path):
    client = client_of(source=tmp_path, adaptation={"rules": "long"})
    session = begin(client)
    first, _ = record_three(client, session)
    second, _ = record_three(client, session, "Bert")
    assert client.post(f"{first}/adaptation").status_code == client.post(f"{second}/adaptation").status_code == 202
    assert client.post(f"{first}/adaptation").status_code == 409
    for _ in range(200):
        state = client.get(first).json()["adaptation"]
        if state["progress"] == 0.25:
            break
        time.sleep(0.02)
    assert state["state"] == "running" and state["stage"] == "held-out speech"
    assert client.get(second).json()["adaptation"]["state"] == "waiting"
    assert client.put(f"{first}/takes/0", content=wav(say([1]))).status_code == 409
    assert client.delete(f"{first}/adaptation").status_code == 204
    assert client.get(first).json()["adaptation"]["state"] == "stopped"
    # The end of the session ends the other.
    assert client.delete(session).status_code == 204


def test_what_speakers_cannot_do(client_of, begin, worker, tmp_path):
    exported = client_of()
    session = begin(exported)
    answer = exported.post(f"{session}/speakers", json={"name": "Anna"})
    assert answer.status_code == 409 and "exported" in answer.json()["error"]
    client = client_of(source=tmp_path, limits=Limits(speakers=1))
    session = begin(client)
    assert client.post(f"{session}/speakers", json={"name": ""}).status_code == 422
    assert client.post(f"{session}/speakers", json={"name": "A", "language": "yy"}).status_code == 422
    speaker = f"{session}/speakers/{client.post(f'{session}/speakers', json={'name': 'A'}).json()['speaker']}"
    assert client.post(f"{session}/speakers", json={"name": "B"}).status_code == 409
    assert client.put(f"{speaker}/takes/10", content=wav(say([1]))).status_code == 404
    assert client.delete(f"{speaker}/takes/0").status_code == 404
    assert client.post(f"{speaker}/adaptation").status_code == 409
    assert client.put(f"{speaker}/takes/0", content=wav(say([1]))).json()["problems"]
    assert client.get(speaker).json()["takes"]["0"]["heard"] == "1"
    assert client.delete(f"{speaker}/takes/0").status_code == 204
    assert client.get(speaker).json()["takes"] == {}


def test_the_worker_ends_with_the_server():
    """Its standard input is a pipe of the server's, which closes when that is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "speechtl.serve.adaptation_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with contextlib.closing(process.stdin):
        process.stdin.write(b'{"source": "gone", "recordings": "gone", "out": "gone", "options": {}}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["stage"] == "loading"
    assert process.wait(60) == 1
    process.stdout.close()


def test_the_server_loads_without_tensorflow():
    code = "import sys, speechtl.serve.run, speechtl.serve.adaptation_worker; print('tensorflow' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"

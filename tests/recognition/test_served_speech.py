"""The server with a real model: whistled speech through its interface, and the process that adapts."""

import io
import json

import numpy as np
import pytest
import soundfile
from starlette.testclient import TestClient
from whistled_speech import RATE, whistle

import speechtl
from speechtl.serve.adaptation_worker import adapt_once
from speechtl.serve.app import make_app
from speechtl.serve.served_model import ServedModel


@pytest.fixture(scope="module")
def served(experiment):
    model = ServedModel(str(experiment), lambda name, speaker: speechtl.load(name, speaker=speaker), lambda: experiment)
    model.warm_up()
    return model


@pytest.fixture
def client(served):
    with TestClient(make_app(served), base_url="http://localhost", headers={"Host": "localhost"}) as client:
        yield client


def wav(text, seed=0):
    file = io.BytesIO()
    soundfile.write(file, whistle(text, seed)[0], RATE, "PCM_16", format="WAV")
    return file.getvalue()


def test_recordings_words_and_streams(client, served):
    about = client.get("/api/about").json()
    assert about["languages"] == ["xx"] and sorted(about["phones"]["xx"]) == list("aikstu")
    session = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
    assert client.post(f"{session}/transcripts", content=wav("tak sit kus")).json()["text"] == "tak sit kus"
    heard = client.post(f"{session}/heard", content=wav("tisa")).json()["phones"]
    assert heard == [phone.label for phone in served.listener.recogniser.phones(io.BytesIO(wav("tisa")))]
    assert "".join(heard).endswith("isa")
    assert client.post(f"{session}/pronunciations", json={"word": "tisa"}).json()["pronunciations"] == ["t i s a"]
    assert client.post(f"{session}/words", json={"word": "Kita", "phones": "k i t a"}).status_code == 201
    assert client.post(f"{session}/transcripts", content=wav("kita sit")).json()["text"] == "Kita sit"
    # What one session has added is in no other, nor in the interface without sessions.
    files = {"file": ("a.wav", wav("kita sit"))}
    assert "Kita" not in client.post("/v1/audio/transcriptions", files=files).json()["text"]
    pause = np.random.default_rng(9).normal(0, 0.001, RATE)
    spoken = np.concatenate([whistle("tak kita", 1)[0], pause, whistle("ata kus", 2)[0], pause])
    blocks = np.array_split((spoken * 32767).astype("<i2"), 40)
    recogniser = served.listener.recogniser.copy()
    recogniser.add_word("Kita", "k i t a")
    alone = recogniser.stream(RATE)
    told = [alone.feed(block / np.float32(32768)) for block in blocks]
    updates = [update for some in told for update in some] + alone.finish()
    first = next(place for place, some in enumerate(told) if some)
    with client.websocket_connect(f"{session}/stream?rate={RATE}") as stream:
        name = stream.receive_json()["transcript"]
        for place, block in enumerate(blocks):
            stream.send_bytes(block.tobytes())
            if place == first:
                # It is not held back until more comes.
                assert stream.receive_json()["type"] == "partial"
        stream.send_json({"type": "end"})
        messages = []
        while not messages or messages[-1]["type"] != "end":
            messages.append(stream.receive_json())
    final = [message["segment"]["text"] for message in messages if message["type"] == "final"]
    assert final == [update.segment.text for update in updates if update.final] and len(final) == 2
    assert "Kita" in final[0].split()
    assert client.get(f"{session}/transcripts/{name}?format=text").text == " ".join(final) + "\n"


def test_the_process_that_adapts(served, experiment, tmp_path):
    """What it writes is read here in this process, which has everything loaded."""
    takes = tmp_path / "takes"
    takes.mkdir()
    for number, text in enumerate(["tak sit", "kus ata si", "Kita tak kus"]):
        soundfile.write(takes / f"{number:02}.wav", whistle(text.lower(), number, pitch=1.06)[0], RATE)
        (takes / f"{number:02}.txt").write_text(text + "\n")
    lines = io.StringIO()
    options = {"language": "xx", "add_words": ["Kita=k i t a"], "lexicon": None, "settings": []}
    request = {"source": str(experiment), "recordings": str(takes), "out": str(tmp_path / "out"), "options": options}
    result = json.loads(json.dumps(adapt_once(request, lines)))
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    held_out = [one for one in told if one["stage"] == "held-out speech"]
    assert held_out[0]["done"] == 0 and held_out[-1]["done"] == held_out[-1]["total"] > 0
    (comparison,) = result["comparisons"]
    assert comparison["title"] == "held out" and result["utterances"] == 3 and result["warnings"] == []
    for when in ("before", "after"):
        score = comparison[when]["words"]
        assert score["reference_length"] == 8 and score["rate"] == pytest.approx(score["errors"] / 8)
    listener = served.adapted(tmp_path / "out", stored_alone=result["stored_alone"])
    assert listener.recogniser.transcribe(whistle("tak kus", 7, pitch=1.06)[0], RATE).text == "tak kus"

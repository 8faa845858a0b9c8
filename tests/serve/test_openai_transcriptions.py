"""The interface of OpenAI's transcriptions, as its reference describes it."""

import pytest
from spoken_numbers import NumberRecogniser, say, wav

ADDRESS = "/v1/audio/transcriptions"


def ask(client, samples=(1, 2, 0, 3), **fields):
    files = {"file": ("../../speech.mp3", wav(say(samples)), "audio/mpeg")}
    return client.post(ADDRESS, files=files, data={"model": "whisper-1", **fields})


def test_every_format(client):
    assert ask(client).json() == {"text": "1 2 3"}
    assert ask(client, response_format="json").json() == {"text": "1 2 3"}
    text = ask(client, response_format="text")
    assert text.text == "1 2 3\n" and text.headers["Content-Type"].startswith("text/plain")
    srt = ask(client, response_format="srt").text
    assert srt == "1\n00:00:00,000 --> 00:00:00,400\n1 2 3\n\n"
    vtt = ask(client, response_format="vtt").text
    assert vtt == "WEBVTT\n\n00:00:00.000 --> 00:00:00.400\n1 2 3\n\n"


def test_verbose(client):
    found = ask(client, response_format="verbose_json").json()
    assert (found["task"], found["language"], found["duration"], found["text"]) == ("transcribe", "xx", 0.4, "1 2 3")
    assert [(one["id"], one["start"], one["end"], one["text"]) for one in found["segments"]] == [
        (0, 0.0, 0.2, "1 2"),
        (1, 0.3, 0.4, "3"),
    ]
    needed = {"seek", "tokens", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob"}
    assert all(needed <= one.keys() for one in found["segments"]) and "words" not in found
    # The fake is half sure of each word.
    assert found["segments"][0]["avg_logprob"] == pytest.approx(-0.6931, abs=1e-4)
    words = ask(client, response_format="verbose_json", **{"timestamp_granularities[]": ["word", "segment"]}).json()
    assert words["words"][2] == {"word": "3", "start": 0.3, "end": 0.4}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"response_format": "doc"}, "response_format"),
        ({"stream": "true"}, "stream"),
        ({"language": "de"}, "language"),
    ],
)
def test_what_is_not_offered_is_told_as_openai_does(client, fields, message):
    answer = ask(client, **fields)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["message"].startswith(message) and error["type"] == "invalid_request_error"


def test_no_file_and_no_audio(client):
    assert "file" in client.post(ADDRESS, data={"model": "x"}).json()["error"]["message"]
    assert client.post(ADDRESS, content=b"{}", headers={"Content-Type": "application/json"}).status_code == 400
    answer = client.post(ADDRESS, files={"file": ("a.wav", b"not audio")})
    assert answer.status_code == 400 and "the recording" in answer.json()["error"]["message"]


def test_the_key_is_the_token(client_of):
    client = client_of(token="secret")
    assert ask(client).status_code == 401
    client.headers["Authorization"] = "Bearer secret"
    assert ask(client).json() == {"text": "1 2 3"}


def test_sessions_have_no_part_in_it(client, session):
    client.post(f"{session}/words", json={"word": "bat"})
    assert ask(client, (3,)).json() == {"text": "3"}


def test_models(client_of):
    client = client_of(NumberRecogniser())
    (model,) = client.get("/v1/models").json()["data"]
    assert model["id"] == "numbers" and model["object"] == "model"

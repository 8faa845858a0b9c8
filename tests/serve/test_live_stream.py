"""Streams: what is said comes back, in order, to whom said it, whatever else goes on."""

import asyncio
import json
import socket
import threading
import time

import numpy as np
import pytest
import uvicorn
import websockets
from spoken_numbers import RATE, NumberRecogniser, as_bytes, say
from starlette.websockets import WebSocketDisconnect

from speechtl.serve.app import make_app
from speechtl.serve.limits import Limits
from speechtl.serve.served_model import ServedModel


def until_end(stream):
    """Return all messages, and leave when the server closes."""
    found = []
    while True:
        found.append(stream.receive_json())
        if found[-1]["type"] in ("end", "error"):
            return found


def texts(messages, kind="final"):
    return [message["segment"]["text"] for message in messages if message["type"] == kind]


def test_words_come_while_they_are_said_and_are_final_after_a_pause(client, session):
    with client.websocket_connect(f"{session}/stream?rate={RATE}") as stream:
        ready = stream.receive_json()
        stream.send_bytes(as_bytes(say([5])))
        assert stream.receive_json()["segment"]["text"] == "5"
        stream.send_bytes(as_bytes(say([6, 7, 0, 8])))
        stream.send_json({"type": "end"})
        messages = until_end(stream)
    assert texts(messages) == ["5 6 7", "8"]
    (first, second) = [message["segment"] for message in messages if message["type"] == "final"]
    assert (first["start"], second["start"]) == (0.0, 0.4)
    assert first["words"][1] == {
        "word": "6",
        "start": 0.1,
        "end": 0.2,
        "confidence": 0.5,
        "phones": ["a", "b"],
    }
    assert messages[-1]["seconds"] == 0.5 and messages[-1]["transcript"] == ready["transcript"]
    answer = client.get(f"{session}/transcripts/{ready['transcript']}?format=text")
    assert answer.text == "5 6 7 8\n"


def test_blocks_may_be_cut_anywhere(client, session):
    samples = as_bytes(say([1, 2, 3, 0, 0, 4, 5]))
    with client.websocket_connect(f"{session}/stream?rate={RATE}") as stream:
        for place in range(0, len(samples), 1234):
            stream.send_bytes(samples[place : place + 1234])
        stream.send_json({"type": "end"})
        assert texts(until_end(stream)) == ["1 2 3", "4 5"]


def test_a_word_that_is_added_meanwhile_is_found_after_the_next_pause(client, session):
    with client.websocket_connect(f"{session}/stream?rate={RATE}") as stream:
        stream.send_bytes(as_bytes(say([3])))
        stream.receive_json(), stream.receive_json()
        assert client.post(f"{session}/words", json={"word": "bat"}).status_code == 201
        stream.send_bytes(as_bytes(say([3, 0])))
        while texts([message := stream.receive_json()]) != ["3 3"]:
            assert message["type"] == "partial"
        stream.send_bytes(as_bytes(say([3, 0])))
        stream.send_json({"type": "end"})
        messages = until_end(stream)
    assert texts(messages) == ["bat"]
    # The time goes on.
    assert next(m for m in messages if m["type"] == "final")["segment"]["words"][0]["start"] == pytest.approx(0.3)


def test_what_was_heard_of_someone_who_leaves_is_remembered(client, session):
    with client.websocket_connect(f"{session}/stream?rate={RATE}") as stream:
        name = stream.receive_json()["transcript"]
        stream.send_bytes(as_bytes(say([4, 2])))
        stream.receive_json()
    for _ in range(100):
        answer = client.get(f"{session}/transcripts/{name}?format=text")
        if answer.status_code == 200 and answer.text.strip():
            break
        time.sleep(0.05)
    assert answer.text == "4 2\n"


def test_a_stream_ends_at_the_longest_duration(client_of):
    client = client_of(limits=Limits(minutes=1 / 60))
    session = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
    with client.websocket_connect(f"{session}/stream?rate={RATE}") as stream:
        for _ in range(4):
            stream.send_bytes(as_bytes(say([1, 1, 1, 1, 1])))
        end = until_end(stream)[-1]
    assert end["reason"] == "too long" and end["seconds"] == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize("rate", ["0", "7999", "192001", "x", "-16000", "1e4", "9" * 5000])
def test_rates_that_are_none(client, session, rate):
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"{session}/stream?rate={rate}"):
        pass


def test_an_error_of_the_recogniser_is_told(client, session):
    with client.websocket_connect(f"{session}/stream?rate=16000") as stream:
        assert until_end(stream)[-1] == {"type": "error", "message": "numbers are said at 8000 Hz"}


def test_half_a_sample_ends_a_stream(client, session):
    with client.websocket_connect(f"{session}/stream?rate={RATE}") as stream:
        stream.send_bytes(as_bytes(say([9])) + b"\0")
        assert until_end(stream)[-1]["reason"] == "half a sample"


def test_more_streams_than_there_may_be(client_of):
    client = client_of(limits=Limits(streams=2))
    session = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
    address = f"{session}/stream?rate={RATE}"
    with client.websocket_connect(address) as first, client.websocket_connect(address):
        first.receive_json()
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(address):
            pass
    # Those that have ended make room.
    with client.websocket_connect(address) as again:
        assert again.receive_json()["type"] == "ready"


@pytest.fixture
def address():
    """Return the address of a real server, in a thread."""
    served = ServedModel("numbers", lambda model, speaker: NumberRecogniser(delay=0.002))
    server = uvicorn.Server(uvicorn.Config(make_app(served), log_config=None, ws_max_size=1 << 20))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_fifty_streams_at_once(address):
    """None is lost and none gets what another said, in sessions of their own and in one."""
    import httpx2

    sessions = [httpx2.post(f"http://{address}/api/sessions").json()["session"] for _ in range(25)]

    async def speak(number):
        # Levels below 1000 are numbers; each stream has its own.
        said = np.random.default_rng(number).integers(1, 900, 40)
        said[::7] = 0
        samples = as_bytes(say(said))
        place = f"ws://{address}/api/sessions/{sessions[number % 25]}/stream?rate={RATE}"
        async with websockets.connect(place) as stream:
            await asyncio.wait_for(stream.recv(), 30)
            waiting.append(number)
            while len(waiting) < 50:
                await asyncio.sleep(0.01)
            for start in range(0, len(samples), 1600):
                await stream.send(samples[start : start + 1600])
                await asyncio.sleep(0.001)
            await stream.send('{"type": "end"}')
            heard = [json.loads(message) async for message in stream]
        assert " ".join(texts(heard)).split() == [str(one) for one in said if one]
        assert heard[-1]["type"] == "end" and heard[-1]["reason"] == "asked"
        return number

    waiting = []

    async def all_at_once():
        return await asyncio.gather(*map(speak, range(50)))

    assert asyncio.run(all_at_once()) == list(range(50))

"""Who is let in, and what no request can do."""

import pytest
from spoken_numbers import RATE, say, wav
from starlette.websockets import WebSocketDisconnect

from speechtl.errors import ConfigError
from speechtl.serve.guard import is_loopback
from speechtl.serve.limits import Limits
from speechtl.serve.run import run
from speechtl.serve.session import new_id

TOKEN = "t0ken-of_this-server"


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST"])
def test_names_of_this_machine(client, host):
    assert client.get("/api/about", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"),
        *("", "localhost:x", "[::1", "localhost@evil.example:80", "evil.example#localhost", "0.0.0.0"),
    ],
)
def test_another_name_that_points_here_is_refused(client, host):
    """DNS rebinding: the browser believes that this server is a part of the other's page."""
    for path in ("/", "/api/about", "/v1/models", "/static/page.js"):
        assert client.get(path, headers={"Host": host}).status_code == 421


def test_addresses_and_given_names_where_others_may_come(client_of):
    client = client_of(names=None, more_names=["Speech.example"], token=TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for host in ("192.168.1.5:8000", "[fe80::1]:8000", "speech.example", "SPEECH.example:443", "localhost"):
        assert client.get("/api/about", headers={**headers, "Host": host}).status_code == 200
    assert client.get("/api/about", headers={**headers, "Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost"}, 201),
        ({"Origin": "https://localhost"}, 201),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "file://localhost"}, 403),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_requests_that_another_page_made(client, headers, status):
    assert client.post("/api/sessions", headers=headers).status_code == status


def test_websockets_that_another_page_made(client, session):
    address = f"{session}/stream?rate={RATE}"
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}):
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(address, headers=headers):
            pass
        assert next(iter(headers)) in refused.value.reason
    own = {"Origin": "http://localhost", "Host": "localhost"}
    with client.websocket_connect(address, headers=own) as stream:
        assert stream.receive_json()["type"] == "ready"


def test_nothing_but_the_page_is_answered_without_the_token(client_of):
    client = client_of(token=TOKEN)
    assert client.get("/").status_code == client.get("/static/page.js").status_code == 200
    wrong = [{}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN[:-1]}"}, {"Authorization": "Bearer ü"}]
    for headers in wrong:
        for method, path in [("GET", "/api/about"), ("POST", "/api/sessions"), ("GET", "/v1/models")]:
            raw = {name: value.encode() for name, value in headers.items()}
            answer = client.request(method, path, headers=raw)
            assert answer.status_code == 401 and TOKEN not in answer.text
    right = {"Authorization": f"Bearer {TOKEN}"}
    session = client.post("/api/sessions", headers=right).json()["session"]
    address = f"/api/sessions/{session}/stream?rate={RATE}"
    for protocols in ([], ["speechtl"], ["speechtl", "token.wrong"]):
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(address, subprotocols=protocols):
            pass
        assert "token" in refused.value.reason
    with client.websocket_connect(address, subprotocols=["speechtl", f"token.{TOKEN}"]) as stream:
        # The token is not sent back.
        assert stream.accepted_subprotocol == "speechtl"


def test_others_are_not_served_without_a_token():
    for host in ("0.0.0.0", "192.168.1.5", "example.org", "::"):
        assert not is_loopback(host)
        with pytest.raises(ConfigError, match="a token is needed"):
            run(None, host=host, port=0, token=None, limits=Limits())
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.1.2.3", "::1")))


@pytest.mark.parametrize(
    "name",
    [
        *("../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e", "....//", "/etc/passwd", "a" * 5000, "%00"),
        *("*", "' OR 1=1", "C:\\\\boot.ini", "~root"),
    ],
)
def test_no_path_from_a_request_reaches_the_disk(client, session, name, tmp_path):
    inside = [
        ("GET", f"/api/sessions/{name}"),
        ("GET", f"{session}/transcripts/{name}"),
        ("GET", f"{session}/speakers/{name}"),
        ("DELETE", f"{session}/speakers/{name}"),
        ("PUT", f"{session}/speakers/{name}/takes/0"),
        ("DELETE", f"{session}/words/{name}"),
        ("GET", f"/static/{name}"),
    ]
    for method, path in inside:
        answer = client.request(method, path)
        assert answer.status_code in (404, 405), (method, path)
        assert "root:" not in answer.text


def test_static_files_are_the_page_alone(client):
    for name in ("../app.py", "..%2fapp.py", "%2e%2e/guard.py", "../../../pyproject.toml"):
        assert client.get(f"/static/{name}").status_code == 404


def test_ids_cannot_be_guessed_and_are_no_paths():
    names = {new_id() for _ in range(1000)}
    assert len(names) == 1000 and all(len(name) == 32 and name.isalnum() for name in names)


def test_one_session_does_not_see_another(client, session):
    other = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
    name = client.post(f"{session}/transcripts", content=wav(say([1, 2]))).json()["transcript"]
    assert client.get(f"{session}/transcripts/{name}").status_code == 200
    assert client.get(f"{other}/transcripts/{name}").status_code == 404
    client.post(f"{session}/words", json={"word": "bat"})
    assert client.get(f"{other}/words").json() == {"words": []}
    assert client.post(f"{other}/transcripts", content=wav(say([3]))).json()["text"] == "3"
    assert client.post(f"{session}/transcripts", content=wav(say([3]))).json()["text"] == "bat"


def test_sizes_are_limited_whatever_the_header_says(client_of):
    client = client_of(limits=Limits(megabytes=0.1))
    session = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
    for path in (f"{session}/transcripts", f"{session}/heard", "/v1/audio/transcriptions"):
        assert client.post(path, content=b"x" * 100_001).status_code == 413
        # In pieces, without a length.
        assert client.post(path, content=iter([b"x" * 60_000] * 3)).status_code in (400, 413)
    assert client.post(f"{session}/transcripts", content=iter([b"x" * 60_000] * 3)).status_code == 413
    for length in ("-1", "1e3", "٣"):
        raw = {"Content-Length": length.encode()}
        assert client.post(f"{session}/words", headers=raw).status_code == 413
    assert client.post(f"{session}/words", json={"word": "a" * 90_000}).status_code == 422


def test_json_is_limited_below_audio(client, session):
    assert client.post(f"{session}/words", content=b'{"word": "' + b"a" * (1 << 19) + b'"}').status_code == 413


@pytest.mark.parametrize(
    "body", [b"[", b"[]", b'"a"', b"{", b"\xff", b"[" * 100_000, b'{"word": 3}', b'{"word": null}']
)
def test_what_is_no_request(client, session, body):
    assert client.post(f"{session}/words", content=body).status_code == 422


def test_a_small_file_of_a_long_recording_is_not_decoded_to_its_end(client_of):
    import io

    import numpy as np
    import soundfile

    client = client_of(limits=Limits(minutes=0.5))
    session = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
    file = io.BytesIO()
    soundfile.write(file, np.zeros(600 * RATE), RATE, format="FLAC")
    assert len(file.getvalue()) < 50_000
    assert client.post(f"{session}/transcripts", content=file.getvalue()).status_code == 413


def test_sessions_are_limited_and_end(client_of):
    client = client_of(limits=Limits(sessions=2))
    first = client.post("/api/sessions").json()["session"]
    assert client.post("/api/sessions").status_code == 201
    assert client.post("/api/sessions").status_code == 503
    assert client.delete(f"/api/sessions/{first}").status_code == 204
    assert client.get(f"/api/sessions/{first}").status_code == 404
    assert client.post("/api/sessions").status_code == 201


def test_answers_forbid_what_the_page_does_not_do(client):
    for path in ("/", "/api/about", "/static/page.js", "/nowhere", "/api/sessions/x"):
        headers = client.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'" == policy["style-src"]
        assert policy["frame-ancestors"] == "'none'"
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers
    assert client.get("/api/about").headers["Cache-Control"] == "no-store"


def test_the_page_needs_nothing_from_elsewhere(client):
    import re

    page = client.get("/").text
    names = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    assert names and all(name.startswith("/static/") for name in names)
    # No code and no style within the page, which the policy forbids.
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=|javascript:", page)
    queue, seen = ["/static/page.js"], set()
    while queue:
        path = queue.pop()
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code == 200 and "javascript" in answer.headers["Content-Type"]
        assert not re.search(r"https?://|\beval\(|innerHTML|insertAdjacentHTML|document\.write", answer.text), path
        queue += [f"/static/{name}" for name in re.findall(r'from "\./([\w.]+)"', answer.text)]
    assert {"/static/server.js", "/static/timeline.js"} <= seen


def test_every_label_names_a_field_and_every_field_has_one(client):
    import re

    page = client.get("/").text
    ids = re.findall(r'\sid="([\w-]+)"', page)
    assert len(ids) == len(set(ids))
    for name in re.findall(r'(?:for|aria-controls|aria-labelledby)="([\w-]+)"', page):
        assert name in ids
    for tag in re.findall(r"<(?:input|select|textarea|meter|progress)[^>]*>", page):
        name = re.search(r'\sid="([\w-]+)"', tag)
        labelled = name and (f'for="{name[1]}"' in page or 'type="checkbox"' in tag)
        assert labelled or "aria-label=" in tag, tag

import pytest
from spoken_numbers import NumberRecogniser
from starlette.testclient import TestClient

from speechtl.serve.app import make_app
from speechtl.serve.served_model import ServedModel


@pytest.fixture
def client_of():
    """Return a function that starts a server of spoken numbers; ``source`` as if it had an experiment directory."""
    clients = []

    def stop(client):
        clients.remove(client)
        client.__exit__(None, None, None)

    def start(recogniser=None, source=None, load=None, adaptation=None, **options):
        recogniser = recogniser or NumberRecogniser()
        served = ServedModel(
            "numbers", load or (lambda model, speaker: recogniser), source and (lambda: source), adaptation
        )
        # The test client calls itself testserver, in WebSockets whatever its address is.
        client = TestClient(make_app(served, **options), base_url="http://localhost", headers={"Host": "localhost"})
        clients.append(client)
        return client.__enter__()

    start.stop = stop
    yield start
    for client in list(clients):
        stop(client)


@pytest.fixture
def client(client_of):
    return client_of()


@pytest.fixture
def session(client):
    """Return the address of a new session."""
    return f"/api/sessions/{client.post('/api/sessions').json()['session']}"

"""A server that answers as the Hugging Face hub does, as far as its client asks, from folders on disk."""

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

ERRORS = {"RepoNotFound": 404, "RevisionNotFound": 404, "EntryNotFound": 404, "GatedRepo": 403}


class LocalHub:
    """Repositories by name, each a dictionary of revisions to folders.

    Attributes:
        repositories: by ``owner/name``, by revision (``main`` is the newest), the folder of its files.
        gated: names of repositories with conditions.
        requests: every request, ``"GET /path"``.
        cut_off: how many more downloads of weights end in the middle.
    """

    def __init__(self):
        self.repositories, self.gated, self.requests, self.cut_off = {}, set(), [], 0

    def commit(self, repository, revision):
        """Return the commit that a revision means, None for an unknown one."""
        folders = self.repositories[repository]
        for name, folder in folders.items():
            commit = hashlib.sha1(f"{repository} {folder}".encode()).hexdigest()
            if revision in (name, commit):
                return commit
        return None

    def answer(self, handler):
        """Answer a request."""
        path = unquote(urlsplit(handler.path).path)
        self.requests.append(f"{handler.command} {path}")
        api = path.startswith("/api/models/")
        parts = path.removeprefix("/api/models/").strip("/").split("/")
        repository, rest = "/".join(parts[:2]), parts[2:]
        if repository not in self.repositories:
            return handler.fail("RepoNotFound")
        revision = "/".join(rest[1:2]) or "main"
        commit = self.commit(repository, revision)
        if commit is None:
            return handler.fail("RevisionNotFound")
        if repository in self.gated and not api:
            return handler.fail("GatedRepo")
        folders = self.repositories[repository].items()
        folder = next(folder for name, folder in folders if self.commit(repository, name) == commit)
        files = sorted(file for file in folder.iterdir() if file.is_file())
        if api and rest[:1] == ["tree"]:
            tree = [{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": "0" * 40} for f in files]
            return handler.send(json.dumps(tree).encode())
        if api:
            table = {"id": repository, "sha": commit, "siblings": [{"rfilename": file.name} for file in files]}
            return handler.send(json.dumps(table).encode())
        file = folder / rest[-1]
        if not file.is_file():
            return handler.fail("EntryNotFound")
        content = file.read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": commit}
        cut = handler.command == "GET" and file.suffix == ".safetensors" and self.cut_off > 0
        self.cut_off -= cut
        return handler.send(content, headers, cut)


class Handler(BaseHTTPRequestHandler):
    hub = None

    def do_GET(self):
        self.hub.answer(self)

    def do_HEAD(self):
        self.hub.answer(self)

    def log_message(self, *_):
        pass

    def fail(self, code):
        self.send_response(ERRORS[code])
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send(self, content, headers=None, cut=False):
        start = 0
        if "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").split("-")[0])
        self.send_response(206 if start else 200)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.command == "GET":
            end = (start + len(content)) // 2 if cut else len(content)
            self.wfile.write(content[start:end])
            if cut:
                self.close_connection = True
                self.connection.close()


@contextlib.contextmanager
def serving():
    """Yield a hub and its address."""
    hub = LocalHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HubHandler_", (Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

"""A folder over HTTP, with or without ranges of bytes."""

import contextlib
import functools
import http.server
import re
import threading


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


class _Ranges(_Quiet):
    """What the standard library's server lacks."""

    def do_GET(self):
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        try:
            content = open(self.translate_path(self.path), "rb").read() if found else None  # noqa: SIM115
        except OSError:
            content = None
        if content is None:
            super().do_GET()
            return
        part = content[int(found[1]) : int(found[2]) + 1 if found[2] else None]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


@contextlib.contextmanager
def served(folder, ranges=True):
    """Yield the address of a folder."""
    handler = functools.partial(_Ranges if ranges else _Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

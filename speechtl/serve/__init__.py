"""``speechtl serve``: a page in the browser, and its HTTP and WebSocket interface, for the three jobs."""

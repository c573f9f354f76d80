"""A web server on loopback that guests fetch from, and what is fetched from theirs."""
import functools
import hashlib
import http.server
import os
import socket
import threading
import time
import urllib.error
import urllib.request

from guest import Failure

FILE_SIZE = 8 << 20


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Web:
    """Serves `directory`: a file of random bytes called "file", and what the case asks for.

    Its words can stand in a case's arguments and steps: @web@ the port, @sum@ the file's MD5, @forward@ a free
    port for hostfwd, @frames@ a path for a dump.
    """

    def __init__(self, directory, out, files):
        self.directory = directory
        handler = functools.partial(Quiet, directory=directory)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        content = os.urandom(FILE_SIZE)
        self.sum = hashlib.md5(content).hexdigest()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.forward = probe.getsockname()[1]
        self.frames = os.path.join(out, "frames.pcap")
        self.words = {
            "@web@": str(self.server.server_port),
            "@sum@": self.sum,
            "@forward@": str(self.forward),
            "@frames@": self.frames,
        }
        with open(os.path.join(directory, "file"), "wb") as file:
            file.write(content)
        for name, source in files.items():
            path = os.path.join(directory, name)
            if os.path.exists(source):
                os.symlink(os.path.abspath(source), path)
            else:
                with open(path, "w", encoding="ascii") as file:
                    file.write(self.fill_in(source))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def fill_in(self, value):
        if isinstance(value, str):
            for word, meaning in self.words.items():
                value = value.replace(word, meaning)
        return value

    def fetch(self, name, seconds):
        """Get a file through the forwarded port; returns its content. The guest may need a moment to listen."""
        end = time.monotonic() + seconds
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.forward}/{name}", timeout=seconds) as answer:
                    return answer.read()
            except (urllib.error.URLError, OSError) as error:
                if time.monotonic() > end:
                    raise Failure(f"fetching {name} through port {self.forward}: {error}") from error
                time.sleep(1)

    def expect(self, name, seconds, text=None):
        """The guest's file is the one served, or has just this text."""
        got = self.fetch(name, seconds)
        wanted = self.sum if text is None else hashlib.md5(text.encode()).hexdigest()
        if hashlib.md5(got).hexdigest() != wanted:
            raise Failure(f"{name} through port {self.forward} has other content ({len(got)} bytes)")

    def close(self):
        self.server.shutdown()
        self.server.server_close()

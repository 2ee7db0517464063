"""A TCP relay before a broker that can swallow what it carries, as a dead link does, without closing anything."""

import socket
import threading


class Relay:
    """Listens on a free loopback port; every connection is carried to ``target`` until the relay stops."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.port: int = self._listener.getsockname()[1]
        self._swallowing: set[socket.socket] = set()
        self._ends: list[socket.socket] = []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def swallow(self) -> None:
        """From now on nothing gets through the connections there are; later ones are good."""
        self._swallowing.update(self._ends)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            far = socket.create_connection(self._target, timeout=5)
            self._ends += (near, far)
            for source, sink in ((near, far), (far, near)):
                source.settimeout(0.1)
                self._threads.append(threading.Thread(target=self._carry, args=(source, sink)))
                self._threads[-1].start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                data = source.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return  # who closes is not told on: the other end keeps its half open
            if source not in self._swallowing and not _passed_on(sink, data):
                return


def _passed_on(sink: socket.socket, data: bytes) -> bool:
    try:
        sink.sendall(data)
    except OSError:
        return False
    return True

"""Connections without TLS, which a client may take for connections with it.

Container tools try TLS first and plain HTTP when that fails. Tornado would wait for the end of a
request line that never comes, and so would they, for ten seconds.
"""

from __future__ import annotations

from tornado.iostream import IOStream

_HANDSHAKE = 0x16  # ContentType of the record that holds a ClientHello (RFC 8446 5.1)
_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"
    b"This port speaks plain HTTP, not TLS.\n"
)


class PlainStream(IOStream):
    """Tornado's stream, which answers a TLS handshake at once and closes."""

    _is_new = True

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """See `IOStream`; 0, the end, for a client that begins with TLS.

        Clients know the answer by its first letters: "server gave HTTP response to HTTPS client".
        """
        count = super().read_from_fd(buf)
        if self._is_new and count:
            self._is_new = False
            if buf[0] == _HANDSHAKE:
                self.write_to_fd(memoryview(_ANSWER))
                return 0
        return count

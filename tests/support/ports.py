"""Ports for servers that tests start."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_port() -> Iterator[int]:
    """Hold a free port for a server of the block, or for several, one after the other.

    A port that is only looked up may be given to any other process before the server takes it.
    While it is bound here, only who asks for this port gets it, as Linux allows where nobody
    listens yet and every socket says that it shares its address.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(('', 0))
        yield holder.getsockname()[1]

"""On the path of a test's subprocess: only this machine can be reached; every other attempt is written down."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any


def _is_this_machine(host: str) -> bool:
    """Whether a socket can be bound to an address; names but localhost are never looked up."""
    try:
        family = socket.AF_INET if ipaddress.ip_address(host).version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as own:
            own.bind((host, 0))
    except (ValueError, OSError):
        return host == "localhost"
    return True


def _guarded(original: Any, host_of: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        host = host_of(*args)
        if host is not None and not _is_this_machine(host):
            with open(os.environ["HUB_GUARD_LOG"], "a", encoding="utf-8") as log:
                log.write(f"{host}\n")
            raise OSError(f"{host} is not to be reached in a test")
        return original(*args, **kwargs)

    return call


def _address(connection: socket.socket, address: Any) -> str | None:
    return None if connection.family == socket.AF_UNIX else str(address[0])


def _name(host: Any, *_: Any) -> str | None:
    return host.decode() if isinstance(host, bytes) else host


if "HUB_GUARD_LOG" in os.environ:
    socket.getaddrinfo = _guarded(socket.getaddrinfo, _name)
    for method in ("connect", "connect_ex"):
        setattr(socket.socket, method, _guarded(getattr(socket.socket, method), _address))

"""Whether the web server may listen where it should."""

import errno
import socket
from contextlib import suppress

import psutil


class PortInUse(Exception):
    """Another process listens there; the message is one sentence that names it."""


def refuse_busy_port(host: str, port: int) -> None:
    """Raise when the web server could not listen there, naming who does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise PortInUse(_why_not(error, host, port)) from None


def _why_not(error: Exception, host: str, port: int) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use{_holder(port)}: end that process, or choose another "
            "port with --port."
        )
    return f"Cannot listen on {host}:{port} ({error}): choose another with --host and --port."


def _holder(port: int) -> str:
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.pid and connection.laddr[1:] == (port,):
                return f" by {psutil.Process(connection.pid).name()}, process {connection.pid}"
    return ""

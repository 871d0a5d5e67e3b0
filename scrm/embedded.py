"""The embedded services: everything a laptop needs in place of PostgreSQL, a broker and secrets.

They live under `SCRM_DATA_DIR` and are used for whatever `SCRM_DATABASE_URL`, `SCRM_BROKER_URL`,
`SCRM_SECRET_KEY` and `SCRM_FIELD_KEYS` leave unset. Only `running` starts anything.
"""

import base64
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from kombu.transport import TRANSPORT_ALIASES

from scrm.postgres_server import (
    PORT,
    SUPERUSER,
    Account,
    EmbeddedError,
    Server,
    socket_directory,
)

__all__ = [
    "EmbeddedError",
    "broker_transport_options",
    "broker_url",
    "data_dir",
    "database_url",
    "ensure_running",
    "field_keys",
    "is_used",
    "remove_data",
    "running",
    "secret_key",
]

DATABASE = "scrm"
ELSEWHERE = "postgres_home"
PROJECT = Path(__file__).resolve().parent.parent

TRANSPORT_ALIASES["filesystem"] = "scrm.common.file_broker:Transport"


def data_dir() -> Path:
    return Path(os.environ.get("SCRM_DATA_DIR") or PROJECT / ".scrm").expanduser().resolve()


def is_used() -> bool:
    """Return whether the embedded database is the one in use."""
    return not os.environ.get("SCRM_DATABASE_URL")


def database_url(name: str = DATABASE) -> str:
    """Return the address of the embedded database, whether it runs or not."""
    host = quote(str(socket_directory(_home())), safe="")
    return f"postgresql://{SUPERUSER}@/{quote(name, safe='')}?host={host}&port={PORT}"


@contextmanager
def running(*, fast: bool = False) -> Iterator[None]:
    """Keep the embedded database running for this process; do nothing when another is in use.

    The last process to leave stops the server. `fast` gives up durability, for test runs.
    """
    if not is_used():
        yield
        return
    with _server().held(database=DATABASE, fast=fast):
        yield


def ensure_running() -> None:
    """Start the embedded database again if it was killed; call it inside `running` only."""
    if is_used():
        _server().revive()


def broker_url() -> str:
    return "filesystem://localhost"


def broker_transport_options() -> dict[str, object]:
    messages, control = data_dir() / "broker" / "messages", data_dir() / "broker" / "control"
    for path in (messages, control):
        _make_private(path)
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(control),
        "store_processed": False,
        "polling_interval": 0.2,
    }


def secret_key() -> str:
    return _kept("secret_key", lambda: secrets.token_urlsafe(48))


def field_keys() -> str:
    """Return the Fernet keys of encrypted fields, newest first, separated by commas."""
    return _kept("field_keys", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())


def remove_data() -> None:
    """Delete everything kept in the data directory, for test runs; nobody may be using it."""
    shutil.rmtree(_home(), ignore_errors=True)
    shutil.rmtree(data_dir(), ignore_errors=True)


def _server() -> Server:
    _make_private(data_dir())
    account = Account.for_server()
    if account and not account.can_enter(data_dir()):
        data_dir().chmod(data_dir().stat().st_mode | 0o011)
    return Server(_home())


def _home() -> Path:
    """Return where the server lives: in the data directory if its account can get there.

    Root's PostgreSQL runs as another account, which cannot enter, say, /root; then the home is
    a directory of its own elsewhere, and the data directory remembers which.
    """
    account = Account.for_server()
    can_enter = account is None or account.can_enter(data_dir().parent)
    if can_enter and not (data_dir() / ELSEWHERE).exists():
        return data_dir() / "postgres"
    return Path(_kept(ELSEWHERE, _name_home_elsewhere))


def _name_home_elsewhere() -> str:
    parent = "/var/lib" if os.access("/var/lib", os.W_OK) else "/var/tmp"  # noqa: S108
    return f"{parent}/scrm-embedded-{secrets.token_hex(6)}"


def _kept(name: str, make: Callable[[], str]) -> str:
    """Return what the file says, made at the first call and never again."""
    path = data_dir() / name
    try:
        if not path.exists():
            _make_private(path.parent)
            _write_once(path, make())
        return path.read_text().strip()
    except PermissionError:
        raise EmbeddedError(
            f"{path} cannot be read or made by this user: run as its owner, or set SCRM_DATA_DIR "
            "to a directory of your own."
        ) from None


def _write_once(path: Path, content: str) -> None:
    # A link to a finished file is all or nothing, and of two first starts only one succeeds.
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(f"{content}\n")
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()


def _make_private(path: Path) -> None:
    try:
        path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"{path} cannot be made ({error.strerror}): set SCRM_DATA_DIR to a directory of your own."
        ) from None

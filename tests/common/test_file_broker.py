"""The broker of files, read and written at the same time."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from scrm import embedded

MESSAGES = 400

Options = dict[str, Any]


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    monkeypatch.setenv("SCRM_DATA_DIR", str(tmp_path))
    return embedded.broker_transport_options() | {"polling_interval": 0.001}


def connect(options: Options) -> Connection:
    return Connection(embedded.broker_url(), transport_options=options)


def name_of(options: Options) -> str:
    # Kombu binds a queue once in the life of a process: each test needs one of its own.
    return Path(options["control_folder"]).parents[1].name


def send(options: Options) -> None:
    with connect(options) as connection, connection.SimpleQueue(name_of(options)) as queue:
        for number in range(MESSAGES):
            queue.put(number)


def receive(options: Options) -> list[int]:
    received: list[int] = []
    with connect(options) as connection, connection.SimpleQueue(name_of(options)) as queue:
        try:
            while True:
                message = queue.get(timeout=3)
                message.ack()
                received.append(message.payload)
        except Empty:
            return received


def test_hands_every_message_to_one_reader_and_none_half_written(
    options: Options,
) -> None:
    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(receive, options) for _ in range(2)]
        threads.submit(send, options).result()
        received = [number for reader in readers for number in reader.result()]

    assert sorted(received) == list(range(MESSAGES))


def test_keeps_messages_in_order_and_leaves_no_files(options: Options, tmp_path: Path) -> None:
    send(options)

    assert receive(options) == list(range(MESSAGES))
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".exchange"}


def test_works_on_when_somebody_empties_it(options: Options, tmp_path: Path) -> None:
    send(options)
    shutil.rmtree(tmp_path / "broker")

    assert receive(options) == []
    shutil.rmtree(tmp_path / "broker")
    send(options)

    assert receive(options) == list(range(MESSAGES))


def test_a_message_that_nobody_reads_never_shows_without_its_content(
    options: Options, tmp_path: Path
) -> None:
    sizes: list[int] = []
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(send, options)
        while not sending.done():
            sizes += [path.stat().st_size for path in tmp_path.rglob("*.msg")]

    assert len(sizes) >= MESSAGES
    assert min(sizes) > 0

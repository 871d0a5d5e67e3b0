import json
from html.parser import HTMLParser

import pytest
import requests

from scrm.sandbox.control import FAULTS
from scrm.sandbox.page import FAULT_VALUES
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api


class Reader(HTMLParser):
    """Collects the words of each part, and what the buttons post."""

    def __init__(self) -> None:
        super().__init__()
        self.words: dict[str, str] = {}
        self.posts: dict[str, object] = {}
        self._parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "div":
            self._parts.append(given.get("id") or "")
        if given.get("data-post"):
            self.posts[f"{given['data-post']} {given['data-body']}"] = json.loads(
                str(given["data-body"])
            )

    def handle_endtag(self, tag: str) -> None:
        if tag == "div":
            self._parts.pop()

    def handle_data(self, data: str) -> None:
        part = self._parts[-1] if self._parts else ""
        self.words[part] = f"{self.words.get(part, '')} {data}"


def look(sandbox: SandboxServer) -> Reader:
    reader = Reader()
    reader.feed(requests.get(sandbox.root_url, timeout=5).text)
    return reader


def test_shows_calls_by_endpoint_and_errcode(api: Api, sandbox: SandboxServer) -> None:
    api.get("department/get", id=1)
    api.get("department/get", id=999)

    assert "department/get 2 60123 × 1" in " ".join(look(sandbox).words["calls"].split())


def test_shows_what_is_ordered_to_go_wrong(sandbox: SandboxServer) -> None:
    assert look(sandbox).words["faults"].split() == ["none"]
    sandbox.faults.fail("user/<b>", 45033, times=3)
    sandbox.callbacks.begin_outage()

    words = look(sandbox).words
    assert words["faults"].split()[-4:] == ["fail", "user/<b>", "45033", "3"]
    assert "outage 1" in words["callbacks"]


def test_shows_the_last_entries_the_newest_first(sandbox: SandboxServer, seller: str) -> None:
    for _ in range(60):
        sandbox.people.add_customer(seller)

    words = look(sandbox).words["ledger"].split()
    numbers = [int(word) for word in words if word.isdecimal()]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 50


def test_every_button_does_something(sandbox: SandboxServer) -> None:
    posts = look(sandbox).posts
    assert len(posts) > 12

    for name, body in posts.items():
        url = sandbox.control_url + name.split(" ", 1)[0]
        assert requests.post(url, json=body, timeout=5).status_code == 200, name


@pytest.mark.parametrize(
    ("button", "seconds"),
    [('clock/advance {"seconds": 3600}', 3600), ('clock/advance {"seconds": 86400}', 86_400)],
)
def test_moves_the_clock(sandbox: SandboxServer, button: str, seconds: int) -> None:
    before = sandbox.clock.now()
    body = look(sandbox).posts[button]

    requests.post(sandbox.control_url + "clock/advance", json=body, timeout=5)

    assert 0 <= sandbox.clock.now() - before - seconds < 60


def test_offers_every_fault_that_names_an_endpoint(sandbox: SandboxServer) -> None:
    without_endpoint = {"expire_tokens", "void_tokens", "clear", "http_500"}

    assert FAULT_VALUES.keys() == FAULTS - without_endpoint
    for fault, (name, value) in FAULT_VALUES.items():
        given = value if name == "form" else int(value or 0)
        order = {"path": "*", "times": 1} | ({name: given} if name else {})
        url = f"{sandbox.control_url}faults/{fault}"
        assert requests.post(url, json=order, timeout=5).status_code == 200, fault

"""Whatever is asked, the sandbox answers with an errcode: never with a traceback."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from scrm.sandbox import gate
from scrm.sandbox.app import SandboxApp
from scrm.sandbox.endpoints import ENDPOINTS
from scrm.sandbox.formats import paint
from scrm.sandbox.generate import build_world
from scrm.sandbox.options import Options
from scrm.sandbox.server import SandboxServer
from scrm.sandbox.tokens import ARCHIVE, CONTACT_SYNC

SHAPES = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NAMES = ("userid", "external_userid", "msgid", "chat_id", "id", "cursor", "handover_userid", "code")
HALVES = b"{" + b",".join(b'"%s": "\\ud800"' % name.encode() for name in NAMES) + b"}"
ADD_WELCOME = "externalcontact/group_welcome_template/add"
# What JSON can hold; half a character (a lone surrogate) does not pass the door.
NUMBERS = st.one_of(
    st.integers(-2, 3), st.integers(), st.floats(), st.sampled_from([2**63, 10**400, 1_700_000_000])
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["", " ", "\x00", "9" * 5000, "²", "1", "a" * 4001]),
)


class Pieces:
    """What stands in a request: whatever JSON can hold, and ids that truly exist."""

    def __init__(self, known: list[Any], draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._known = st.sampled_from(known)
        self._draw = draw

    def object(self) -> "Lazy":
        return Lazy(self)

    def text(self) -> str:
        return str(self._draw(st.one_of(TEXTS, self._known.map(str))))

    def any(self, depth: int = 0) -> Any:
        kinds = ["known", "known", "text", "number", "flag", "nothing"]
        kind = self._draw(
            st.sampled_from(kinds + ["object", "object", "list", "list"] * (depth < 4))
        )
        if kind == "object":
            return Lazy(self, depth + 1)
        if kind == "list":
            return [self.any(depth + 1) for _ in range(self._draw(st.integers(0, 3)))]
        scalars: dict[str, st.SearchStrategy[Any]] = {
            "known": self._known,
            "text": TEXTS,
            "number": NUMBERS,
            "flag": st.booleans(),
            "nothing": st.none(),
        }
        return self._draw(scalars[kind])


class Lazy(dict[str, Any]):
    """A JSON object that has, or has not, each field that somebody looks for in it."""

    def __init__(self, pieces: Pieces, depth: int = 0) -> None:
        super().__init__()
        self._pieces, self._depth = pieces, depth
        self._asked: set[str] = set()

    def __contains__(self, name: object) -> bool:
        if isinstance(name, str) and name not in self._asked:
            self._asked.add(name)
            value = self._pieces.any(self._depth)
            # What is nothing may be absent as well as null.
            if value is not None or len(self._asked) % 2:
                self[name] = value
        return super().__contains__(name)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        return super().__getitem__(name) if name in self else default


class LazyQuery(Lazy):
    """The same of a query, in which everything is a text."""

    def __contains__(self, name: object) -> bool:
        if isinstance(name, str) and name not in self._asked:
            self._asked.add(name)
            if len(self._asked) % 5:
                self[name] = self._pieces.text()
        return dict.__contains__(self, name)


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    options = Options(
        is_delegated_app=True,
        calls_per_minute=10**9,
        calls_per_hour=10**9,
        calls_per_minute_by_path={},
        calls_per_hour_by_path={},
        calls_per_day_by_path={},
        calls_per_month_by_path={},
        ip_calls_per_minute=10**9,
        ip_calls_per_hour=10**9,
        wrong_secrets_before_block=10**9,
        tickets_per_hour=10**9,
        tickets_per_hour_of_corp=10**9,
    )
    world = build_world(7, staff=6, customers=30, groups=3, options=options)
    server = SandboxServer(world)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def known(server: SandboxServer) -> list[Any]:
    """Ids of the world, the words that endpoints look for, and numbers that mean something."""
    world, people = server.world, server.people
    members = [member.userid for member in world.present_members() if member.can_follow]
    owner = next(u for u in members if world.customers_of(u))
    customer = world.customers_of(owner)[0].external_userid
    medium = ask_file(server, "media/upload", {"type": "image"})["media_id"]
    tags = [tag.id for tag in world.tags.living_tags()][:3]
    account = people.service_account_opens("A")
    people.customer_enters_service(account, customer)
    people.customer_writes_to_service(customer, account, "B")
    made = {
        path: ask(server, path, json.dumps(body).encode())
        for path, body in {
            "externalcontact/add_msg_template": {"sender": owner, "text": {"content": "A"}},
            "externalcontact/add_moment_task": {"text": {"content": "A"}},
            "externalcontact/add_contact_way": {"type": 2, "scene": 2, "user": [owner]},
            "externalcontact/groupchat/add_join_way": {
                "scene": 2,
                "chat_id_list": list(world.chats)[:1],
            },
            "externalcontact/customer_acquisition/create_link": {
                "link_name": "A",
                "range": {"user_list": [owner]},
            },
            "externalcontact/customer_strategy/create": {
                "parent_id": 0,
                "strategy_name": "A",
                "admin_list": [owner],
                "range": [{"type": 1, "userid": owner}],
            },
            ADD_WELCOME: {"text": {"content": "A"}},
        }.items()
    }
    assert {answer["errcode"] for answer in made.values()} == {0}
    ids = [
        value
        for answer in made.values()
        for name, value in answer.items()
        if name not in {"errcode", "errmsg"} and isinstance(value, (str, int))
    ]
    ids += [
        row["link_id"] for row in [made["externalcontact/customer_acquisition/create_link"]["link"]]
    ]
    words = ["single", "group", "text", "image", "link", "file", "video", "miniprogram", "location"]
    words += ["template_card", "button_interaction", "news", "textcard", "markdown", "msgmenu"]
    words += ["text_notice", "vote_interaction", "multiple_interaction", "agent_config", "@all"]
    numbers = [0, 1, 2, 3, int(world.now()), int(world.now()) - 86_400, world.credentials.agent_id]
    room = people.room_opens(members[0], members[1:2], "A")
    return [
        *members,
        *world.departments,
        *list(world.chats),
        *[relation.external_userid for relation in world.customers_of(owner)[:3]],
        *tags,
        *ids,
        *words,
        *numbers,
        medium,
        account,
        room,
        world.credentials.corp_id,
        world.credentials.secret,
        world.credentials.archive_secret,
    ]


def token_of(server: SandboxServer, path: str) -> str:
    own = server.credentials
    secrets = {ARCHIVE: own.archive_secret, CONTACT_SYNC: own.contact_sync_secret}
    secret = secrets.get(ENDPOINTS[path].audience, own.secret)
    return str(server.gate._tokens.issue(own.corp_id, secret)[0])


def ask(server: SandboxServer, path: str, body: bytes = b"", **query: str) -> Any:
    """Ask through the whole application; whatever it raises, this raises."""
    endpoint = ENDPOINTS[path]
    root = "/" if path.startswith("archive/") else "/cgi-bin/"
    query = {"access_token": token_of(server, path)} | query
    answer = Client(SandboxApp(server)).open(
        root + path, method=endpoint.method, query_string=query, data=body
    )
    assert answer.status_code == 200, answer
    if not (answer.mimetype or "").endswith("json"):
        return {"errcode": 0}
    told = json.loads(answer.data)
    assert isinstance(told["errcode"], int)
    assert isinstance(told["errmsg"], str)
    return told


def ask_file(
    server: SandboxServer,
    path: str,
    query: dict[str, str],
    content: bytes = b"",
    kind: str = "multipart/form-data; boundary=b",
) -> Any:
    head = b'--b\r\nContent-Disposition: form-data; name="media"; filename="a.png"\r\n\r\n'
    body = head + (content or paint(9, 9)) + b"\r\n--b--\r\n"
    answer = Client(SandboxApp(server)).post(
        f"/cgi-bin/{path}",
        query_string={"access_token": token_of(server, path)} | query,
        data=body,
        content_type=kind,
    )
    assert answer.status_code == 200
    return json.loads(answer.data)


def test_there_are_all_endpoints() -> None:
    assert len(ENDPOINTS) >= 119


@pytest.mark.parametrize("path", ENDPOINTS)
@SHAPES
@given(data=st.data())
def test_answers_whatever_the_parameters_are(
    server: SandboxServer,
    known: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    data: st.DataObject,
) -> None:
    pieces = Pieces(known, data.draw)
    endpoint = ENDPOINTS[path]
    is_query = endpoint.method == "GET" or endpoint.takes_file
    asked = LazyQuery(pieces) if is_query else Lazy(pieces)
    monkeypatch.setattr(gate, "_read_parameters", lambda *_: (asked, False))

    ask(server, path)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_answers_whatever_the_body_is(server: SandboxServer, path: str) -> None:
    bodies = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"\xff\xfe\x00",
        HALVES,
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"userid": ' + b"9" * 5_000 + b"}",
        b'{"limit": NaN, "cursor": Infinity}',
        b'{"cursor": "' + b"x" * 1_000_000 + b'"}',
    ]

    for body in bodies:
        ask(server, path, body)


@pytest.mark.parametrize("path", [path for path, each in ENDPOINTS.items() if each.takes_file])
@SHAPES
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"#!AMR\n"]),
    ),
    kind=st.sampled_from(
        ["multipart/form-data; boundary=b", "multipart/form-data", "text/plain", "x", ""]
    ),
    query=st.fixed_dictionaries(
        {},
        optional={
            name: st.sampled_from(["", "image", "voice", "video", "file", "1", "2", "x", "²"])
            for name in ("type", "media_type", "attachment_type")
        },
    ),
)
def test_answers_whatever_the_file_is(
    server: SandboxServer, path: str, content: bytes, kind: str, query: dict[str, str]
) -> None:
    assert isinstance(ask_file(server, path, query, content, kind)["errcode"], int)

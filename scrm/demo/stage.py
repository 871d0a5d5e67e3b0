"""Setting the stage: a sandbox process, the product's processes, a corp and somebody to log in."""

import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.archive_keys import add_archive_key
from scrm.dashboard.actions.connecting import connect_corp
from scrm.demo.chapters.resignation import DAYS
from scrm.demo.scene import StoryStuck
from scrm.processes import Supervisor
from scrm.sandbox.remote import SandboxRemote
from scrm.tenancy.actions.corps import CorpSettings
from scrm.tenancy.models import Corp

BRAND = "小满母婴"
USERNAME = "demo"


@dataclass(frozen=True)
class Population:
    """How large the made-up brand is."""

    staff: int = 20
    customers: int = 5000
    groups: int = 60
    seed: int = 1


@dataclass(frozen=True)
class Stage:
    corp: Corp
    sandbox: SandboxRemote
    supervisor: Supervisor
    password: str
    platform_url: str  # the sandbox's page for people


@contextmanager
def set_stage(population: Population, *, port: int, tell: Callable[[str], None]) -> Iterator[Stage]:
    """Run sandbox, web, worker and beat as processes of their own until the block ends."""
    tell("starting a sandbox of the WeCom API, the database, web, worker and beat")
    with (
        _sandbox_process(population) as process,
        Supervisor(port=port or free_port()) as supervisor,
    ):
        described = _described(process)
        tell(f"sandbox of the WeCom API at {described['control_url']}")
        corp = _connect(described)
        password = _make_operator()
        supervisor.wait_ready()
        tell(f"web, worker and beat are up at {supervisor.url}")
        sandbox = SandboxRemote(described["control_url"])
        _point_callbacks(sandbox, f"{supervisor.url}/wecom/callback/{corp.corp_id}/")
        platform_url = described["control_url"].removesuffix("sandbox/")
        yield Stage(corp, sandbox, supervisor, password, platform_url)


@contextmanager
def _sandbox_process(population: Population) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "sandbox", "--json"]
    # The platform takes a day to hand a customer over; the story begins early enough for that.
    command += ["--days-ago", str(DAYS + 0.1)]
    for name, value in {"port": free_port(), **vars(population)}.items():
        command += [f"--{name}", str(value)]
    # S603: our own interpreter and our own manage.py.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            # While it makes its people, the database is brought up to date.
            call_command("migrate", verbosity=0, interactive=False)
            yield process
        finally:
            process.terminate()


def _described(process: subprocess.Popen[str]) -> dict[str, Any]:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise StoryStuck("The sandbox did not start; run `manage.py sandbox` to see why.")
    described: dict[str, Any] = json.loads(line)
    return described


def _connect(described: dict[str, Any]) -> Corp:
    # The made-up platform begins anew with every run; so does its corp here.
    Corp.objects.filter(corp_id=described["corp_id"]).delete()
    typed = CorpSettings(
        corp_id=described["corp_id"],
        name=BRAND,
        secret=described["secret"],
        agent_id=str(described["agent_id"]),
        archive_secret=described["archive_secret"],
        callback_token=described["callback_token"],
        callback_aes_key=described["callback_aes_key"],
        base_url=described["base_url"],
    )
    now = timezone.now()
    corp = connect_corp(typed, actor=SYSTEM, now=now)
    for version, private_key in described["archive_keys"].items():
        add_archive_key(corp, version=int(version), private_key=private_key, actor=SYSTEM, now=now)
    return corp


def _make_operator() -> str:
    password = secrets.token_urlsafe(9)
    user, _ = User.objects.get_or_create(
        username=USERNAME, defaults={"is_staff": True, "is_superuser": True}
    )
    user.set_password(password)
    user.save(update_fields=["password"])
    return password


def _point_callbacks(sandbox: SandboxRemote, url: str) -> None:
    sandbox.callbacks.configure(url)
    answer = sandbox.callbacks.verify()
    if not answer["ok"]:
        raise StoryStuck(f"The callback address was not accepted: {answer['reason']}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""Probes: is the process alive, and can it work."""

import pytest
from django.db import DatabaseError
from django.test import Client

from scrm.common import health


def test_lives_without_a_database(client: Client) -> None:
    # No `db` fixture: a query would fail the test.
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_is_ready_when_all_parts_are(client: Client, db: None) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "parts": {"database": "ok", "migrations": "ok", "broker": "ok"},
    }


def test_names_the_part_that_is_not_ready_and_no_password(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> None:
        raise DatabaseError("postgresql://scrm:hunter2@db")

    monkeypatch.setitem(health.CHECKS, "database", unreachable)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["parts"]["database"] == "unreachable"
    assert "hunter2" not in response.content.decode()


def test_is_not_ready_before_the_migrations(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Waiting:
        def __init__(self, _connection: object) -> None:
            self.loader = self.graph = self

        def leaf_nodes(self) -> list[object]:
            return []

        def migration_plan(self, _targets: object) -> list[object]:
            return [object(), object()]

    health.check_migrations.cache_clear()
    monkeypatch.setattr(health, "MigrationExecutor", Waiting)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["parts"]["migrations"].startswith("2 to apply")


def test_is_not_ready_without_a_broker(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody listens on the discard port of this machine.
    monkeypatch.setitem(
        health.CHECKS, "broker", lambda: health.check_broker("redis://127.0.0.1:9/0")
    )

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["parts"]["broker"] == "unreachable"

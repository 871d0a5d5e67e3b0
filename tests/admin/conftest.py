"""People who work in the admin: a superuser, an operator of one corp, a lead of a department."""

from collections.abc import Callable, Iterable

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client

from scrm.tenancy.models import Corp, CorpAccess, Department
from tests.factories import make_corp

Enter = Callable[..., Client]


@pytest.fixture
def enter(db: None) -> Enter:
    """Log somebody in: a superuser, or with every permission for what `corp` lets them see."""

    def enter(
        username: str, *, corp: Corp | None = None, departments: Iterable[Department] = ()
    ) -> Client:
        user = User.objects.create_user(username, is_staff=True, is_superuser=corp is None)
        if corp is not None:
            user.user_permissions.set(Permission.objects.all())
            CorpAccess.objects.create(user=user, corp=corp).departments.set(departments)
        client = Client()
        client.force_login(user)
        return client

    return enter


@pytest.fixture
def lin(enter: Enter) -> Client:
    """An administrator who sees everything."""
    return enter("lin")


@pytest.fixture
def mallory(enter: Enter) -> Client:
    """An operator of another corp, with every permission."""
    return enter("mallory", corp=make_corp(name="Elsewhere"))


def speak(client: Client, language: str) -> Client:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    return client

"""Forms whose save is one action: what the action refuses is shown beside the field it names."""

from typing import Any, ClassVar, TypeVar

from django import forms
from django.db import models, transaction
from django.http import HttpRequest

from scrm.common.errors import DomainError, FieldProblem

M = TypeVar("M", bound=models.Model)


class ActionModelForm(forms.ModelForm[M]):
    """`act()` checks and writes; the admin that shows the form writes nothing itself."""

    # Set by the admin that shows the form; `common` knows no corps.
    corp: Any
    request: HttpRequest
    # Where the first word of a problem's path is called something else in the form.
    places: ClassVar[dict[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.problems: list[FieldProblem] = []

    def act(self) -> M:
        raise NotImplementedError

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # not in the stubs
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.act()
        except DomainError as error:
            self.problems = list(error.errors)
            show_problems(self, error, places=self.places)

    def save(self, commit: bool = True) -> M:  # noqa: FBT001, FBT002 — Django's signature
        return self.instance

    def save_m2m(self) -> None:
        """`act()` has done it."""


class ActionSaveMixin:
    """For the admin of an `ActionModelForm`: the form's action has written everything."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        """Nothing is left to be written."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        """Nor here."""


def show_problems(
    form: forms.BaseForm, error: DomainError, *, places: dict[str, str] | None = None
) -> None:
    """Put each problem beside its field, and what belongs to no field on top."""
    names = places or {}
    homeless = []
    for problem in error.errors:
        word = problem.path.lstrip("/").partition("/")[0]
        name = names.get(word, word)
        if name in form.fields:
            form.add_error(name, problem.message)
        else:
            homeless.append(problem.message)
    if homeless or not error.errors:
        form.add_error(None, " ".join(homeless) or error.detail)

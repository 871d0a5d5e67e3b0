"""Abstract bases: every row of brand data belongs to one corp."""

from typing import TYPE_CHECKING, Self, TypeVar

from django.db import models

if TYPE_CHECKING:
    from scrm.tenancy.models import Corp

M = TypeVar("M", bound=models.Model)


class CorpQuerySet(models.QuerySet[M]):
    """`for_corp()` is the first link of every chain that serves a person or a brand."""

    def for_corp(self, corp: "Corp") -> Self:
        return self.filter(corp=corp)


class CorpModel(models.Model):
    corp = models.ForeignKey("tenancy.Corp", on_delete=models.CASCADE, related_name="+")

    class Meta:
        abstract = True

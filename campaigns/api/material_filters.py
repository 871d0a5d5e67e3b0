from django.db.models import QuerySet
from django_filters import rest_framework as filters

from campaigns.models import Material


class MaterialFilter(filters.FilterSet):
    kind = filters.ChoiceFilter(choices=Material.Kind.choices)
    status = filters.ChoiceFilter(
        choices=Material.Status.choices, help_text="Left out: everything that is not archived."
    )

    def filter_queryset(self, queryset: QuerySet[Material]) -> QuerySet[Material]:
        chosen = super().filter_queryset(queryset)
        if self.form.cleaned_data.get("status"):
            return chosen
        return chosen.exclude(status=Material.Status.ARCHIVED)

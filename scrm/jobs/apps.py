from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "scrm.jobs"
    label = "jobs"
    verbose_name = _("Jobs and ticks")

    def ready(self) -> None:
        # The one signal of the code: rows that must exist after every migrate.
        post_migrate.connect(_install_ticks, dispatch_uid="install_ticks")


def _install_ticks(*, app_config: AppConfig, **_: Any) -> None:
    if app_config.label == "django_celery_beat":
        return
    from django.apps import apps

    # The last of our apps: by then the tables of beat exist and all tasks are imported.
    if app_config != list(apps.get_app_configs())[-1]:
        return
    from scrm.celery import app
    from scrm.jobs.actions.installing import install_ticks

    app.loader.import_default_modules()
    install_ticks()

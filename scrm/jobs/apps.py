from typing import Any

from celery import current_app
from django.apps import AppConfig, apps
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
    from scrm.jobs.actions.installing import install_ticks

    # The signal comes once for each app; with the last one, every table is there.
    with_tables = [config for config in apps.get_app_configs() if config.models_module]
    if app_config is with_tables[-1]:
        current_app.loader.import_default_modules()
        install_ticks()

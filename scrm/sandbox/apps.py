from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "scrm.sandbox"
    label = "sandbox"

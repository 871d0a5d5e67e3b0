"""Just enough Django for the sandbox's command: it needs nothing of the product."""

SECRET_KEY = "sandbox"  # noqa: S105 - signs nothing
INSTALLED_APPS = ["scrm.sandbox"]
USE_TZ = True

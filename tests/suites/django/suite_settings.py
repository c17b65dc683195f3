"""Settings of Django's own tests: two databases of one server, as PG* names it, and outcomes as the other suites write them."""

import os


def database(name):
    env = os.environ
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "HOST": env["PGHOST"],
        "PORT": env["PGPORT"],
        "USER": env["PGUSER"],
        "PASSWORD": env["PGPASSWORD"],
    }


DATABASES = {"default": database("suites"), "other": database("suites_other")}
TEST_RUNNER = "suite_runner.Runner"
SECRET_KEY = "of the tests"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False

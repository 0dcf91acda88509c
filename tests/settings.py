"""The office's settings on a state folder of this test process's own; nothing touches ./var."""

import os
import tempfile

os.environ["DOUDI_HOME"] = tempfile.mkdtemp(prefix="doudi-tests-")
os.environ.pop("DOUDI_DEMO", None)

from doudi.house.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # speed: no test is about the hash

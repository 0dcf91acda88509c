"""Look at the lock and the repository for what must not be there: ``python tools/dependency_audit.py``.

Works without a network: each locked package has hashes and an exact version from the index, none is older than the
version in which a known hole was closed, and no file under version control holds what looks like a secret.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLOSED_IN = {
    "cryptography": (44, 0, 1),  # CVE-2024-12797
    "django": (5, 2, 8),  # CVE-2025-64459 (SQL injection by _connector)
    "fonttools": (4, 60, 2),  # CVE-2025-66034
    "jinja2": (3, 1, 6),  # CVE-2025-27516
    "lxml": (5, 0, 0),
    "pillow": (11, 3, 0),  # CVE-2025-48379
    "protobuf": (6, 31, 1),  # CVE-2025-4565
    "pyarrow": (17, 0, 0),  # CVE-2024-52338
    "requests": (2, 32, 4),  # CVE-2024-47081
    "setuptools": (78, 1, 1),  # CVE-2025-47273
    "sqlparse": (0, 5, 0),  # CVE-2024-4340
    "urllib3": (2, 6, 0),  # CVE-2025-66418, CVE-2025-66471
    "werkzeug": (3, 1, 4),  # CVE-2025-66221
}
"""Package → the first version without the named hole, as published; a person adds to it when an advisory comes."""
SECRETS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}"),
    "AWS key": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    "Slack token": re.compile(r"\bxox[abpr]-[A-Za-z0-9-]{20,}"),
    "own API key": re.compile(r"\bdoudi_[0-9a-f]{10}_[\w-]{43}\b"),
    "own ring": re.compile(r'"(?:index|audit|signing)": "[A-Za-z0-9+/]{43}="'),
    "address with a password": re.compile(
        r"\b(?:postgresql|postgres|https?)://[^/\s:@'\"{}<>]+:(?!密码|password|secret)[^@\s'\"{}<>]{6,}@"
    ),
}


def lock_problems(text: str) -> list[str]:
    """What is wrong with a lock: no hash, no exact version, a foreign source, or a version with a known hole."""
    found = []
    for block in re.split(r"\n(?=\S)", text.replace("\\\n", " ")):
        line = block.strip()
        if not line or line.startswith("#"):
            continue
        named = re.match(r"([a-z0-9_.-]+)==([^\s;]+)", line, re.I)
        if named is None:
            found.append(f"not an exact version from the index: {line[:60]}")
            continue
        name, version = named[1].lower(), named[2]
        if not re.search(r"--hash=sha256:[0-9a-f]{64}", line):
            found.append(f"{name} has no hash")
        closed = CLOSED_IN.get(name)
        if closed and tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < closed:
            found.append(
                f"{name} {version} is older than {'.'.join(map(str, closed))}, in which a known hole was closed"
            )
    return found


def secrets_in(text: str) -> list[str]:
    """The kinds of secrets that a text seems to hold."""
    return [kind for kind, pattern in SECRETS.items() if pattern.search(text)]


def repository_problems() -> list[str]:
    """Files under version control that seem to hold a secret."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    found = []
    for name in listed.decode().split("\0"):
        path = ROOT / name
        if not name or not path.is_file() or path.stat().st_size > 4 << 20:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {kind}" for kind in secrets_in(text)]
    return found


def main() -> None:
    problems = lock_problems((ROOT / "requirements.lock").read_text(encoding="utf-8")) + repository_problems()
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems", file=sys.stderr)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()

"""Who works at once in a province, for locust: officers at their desks, citizens at the public pages, departments pushing files.

Read by :mod:`benchmarks.load_province`, which prepares the office and names it in ``DOUDI_LOAD_OFFICE``. Every figure is
told to locust under the kind of page, ``citizen: …`` and ``department: …``.
"""

from __future__ import annotations

import json
import os
import random
import re
import secrets
import time
from itertools import count
from pathlib import Path
from typing import Any

from locust import FastHttpUser, User, between, task

from benchmarks.bench_officers import Officer, Times

OFFICE: dict[str, Any] = json.loads(Path(os.environ["DOUDI_LOAD_OFFICE"]).read_text(encoding="utf-8"))
OFFICERS, CITIZENS, DEPARTMENTS = (int(n) for n in os.environ["DOUDI_LOAD_PEOPLE"].split(","))
BEGIN_WITHIN = float(os.environ["DOUDI_LOAD_BEGIN_WITHIN"])
_next_officer, _next_citizen, _next_department = count(), count(), count()


class _TellingOfficer(Officer):
    """An officer of the other benchmark whose pages locust counts."""

    def __init__(self, number: int, environment: Any) -> None:
        super().__init__(OFFICE["people"][number], OFFICE, Times(), number, 15)
        self.environment = environment

    def ask(self, kind: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        began = time.perf_counter()
        status, text, where = super().ask(kind, path, form)
        self.environment.events.request.fire(
            request_type="POST" if form else "GET", name=f"officer: {kind}", response_length=len(text),
            response_time=(time.perf_counter() - began) * 1000, context={},
            exception=None if status in (200, 302, 422) else RuntimeError(f"status {status}"),
        )  # fmt: skip
        return status, text, where


class OfficerAtWork(User):
    """One of the county's and townships' officers: the day's page, lists, warnings, the next step of one."""

    fixed_count = OFFICERS
    wait_time = between(5, 25)

    def on_start(self) -> None:
        self.officer = _TellingOfficer(next(_next_officer), self.environment)
        time.sleep(random.uniform(0, BEGIN_WITHIN))

    @task
    def work(self) -> None:
        one = self.officer
        one.random.choices([one.home, one.look, one.open, one.clocks, one.step], [1, 3, 3, 1, 2])[0]()


class Citizen(FastHttpUser):
    """Somebody at the public pages: reads what is open, asks how far something is, now and then tells of a family."""

    fixed_count = CITIZENS
    wait_time = between(40, 160)

    def on_start(self) -> None:
        number = next(_next_citizen)
        self.headers = {"X-Forwarded-For": f"10.1.{number // 250}.{1 + number % 250}"}
        time.sleep(random.uniform(0, 2 * BEGIN_WITHIN))

    @task(8)
    def read(self) -> None:
        page = random.choice(
            ["/charity/", "/charity/help/", "/charity/projects/", "/meals/open/", "/apply/progress/"]
        )
        self.client.get(page, headers=self.headers, name=f"citizen: {page}")

    @task(1)
    def how_far(self) -> None:
        # a wrong code is what most people type first; the pages and their limits are what is measured
        page = self.client.get("/tell/status/", headers=self.headers, name="citizen: /tell/status/").text
        self._send("/tell/status/", page, {"receipt": secrets.token_hex(5)})

    @task(1)
    def tell(self) -> None:
        at = f"/tell/?at={random.choice(OFFICE['townships'])}"
        page = self.client.get(at, headers=self.headers, name="citizen: /tell/").text
        token = re.search(r'name="token" value="([0-9a-f]{32})"', page)
        if token is None:
            return
        said = {
            "token": token[1], "at": at[9:], "family_name": "张某", "place": "二组村口", "website": "", "contact": "",
            "text": "老人独居，前几天摔了一跤，家里没有人照看。", "consent": "on",
        }  # fmt: skip
        for name in ("difficulty", "channel"):
            said[name] = re.findall(rf'name="{name}" value="([^"]+)"', page)[0]
        self._send("/tell/", page, said)

    def _send(self, path: str, page: str, form: dict[str, str]) -> None:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        if token is None:
            return
        origin = {"Referer": f"{self.host}{path}"}
        self.client.post(
            path,
            form | {"csrfmiddlewaretoken": token[1]},
            headers=self.headers | origin,
            name=f"citizen: {path} sent",
        )


_BOUNDARY = "a-boundary-of-nobody"


def _multipart(fields: dict[str, str], name: str, content: str) -> bytes:
    """A form with one file; locust's fast client makes none."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{said}\r\n'
        for key, said in fields.items()
    ]
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n'
    return "".join([*parts, head, content, f"\r\n--{_BOUNDARY}--\r\n"]).encode()


class Department(FastHttpUser):
    """A department's program: pushes its corrected file every few minutes, and looks whether it was taken."""

    fixed_count = DEPARTMENTS
    wait_time = between(60, 180)

    def on_start(self) -> None:
        self.number = next(_next_department)
        self.headers = {"Authorization": f"Bearer {OFFICE['keys'][self.number]}"}
        time.sleep(random.uniform(0, 4 * BEGIN_WITHIN))

    @task
    def push(self) -> None:
        rows = list(OFFICE["rows"])
        # a corrected row makes a file that the office has not seen
        rows[1 + random.randrange(len(rows) - 1)] = (
            f"张改,1000.00,{random.randrange(10**7)}.00,529900197404067238,2024-09"
        )
        body = _multipart(
            {"as_of": OFFICE["as_of"], "feed": OFFICE["feed"], "source": f"单位{self.number}"},
            f"fund{self.number}.csv",
            "\n".join(rows),
        )
        kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        self.client.post("/api/v1/loads", data=body, headers=self.headers | kind, name="department: push")
        self.client.get("/api/v1/loads", headers=self.headers, name="department: look")

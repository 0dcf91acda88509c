"""Figures for Prometheus: for this machine or a key that covers the dashboard, and never a person."""

from __future__ import annotations

import re

from tests import small_county as sc
from tests.cast import Cast


def test_the_machine_itself_reads_requests_warnings_and_loads(county: Cast, desk, client) -> None:
    desk(county.county).get("/households/H002")

    answer = client.get("/metrics")

    text = answer.content.decode()
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert re.search(
        r'doudi_requests_total\{route="/api/v1/households/<path:household_no>",method="GET",status="200",process="\d+"\} [1-9]',
        text,
    )
    assert 'doudi_warnings_open{level="orange"} 1\n' in text
    assert 'doudi_loads{status="in_force"} 24\n' in text
    assert not any(told in text for told in ("H002", 'county"', "王强", sc.WANG_QIANG))


def test_every_line_is_prometheus_text(county: Cast, client) -> None:
    line = re.compile(r'[a-z_]+(\{([a-z]+="[^"\n]*",?)+\})? [0-9.e+-]+')

    for said in client.get("/metrics").content.decode().splitlines():
        assert said.startswith(("# HELP doudi_", "# TYPE doudi_")) or line.fullmatch(said), said


def test_others_need_a_key_that_covers_the_dashboard(county: Cast, client, key_for) -> None:
    from_afar = {"REMOTE_ADDR": "10.1.2.3"}
    by_proxy = {"HTTP_X_FORWARDED_FOR": "10.1.2.3"}
    headers = {"Authorization": f"Bearer {key_for(county.director)}"}

    assert client.get("/metrics", **from_afar).status_code == 401
    assert client.get("/metrics", **by_proxy).status_code == 401
    assert client.get("/metrics", **from_afar, headers=headers).status_code == 200
    narrow = {"Authorization": f"Bearer {key_for(county.department)}"}
    assert client.get("/metrics", **from_afar, headers=narrow).status_code == 403


def test_a_key_of_one_area_counts_that_area(county: Cast, client, key_for) -> None:
    headers = {"Authorization": f"Bearer {key_for(county.other_township)}"}

    text = client.get("/metrics", headers=headers).content.decode()

    assert 'doudi_warnings_open{level="orange"} 0\n' in text
    assert "doudi_loads{" not in text

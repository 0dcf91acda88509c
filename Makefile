# doudi 兜底 — `make` prints this list.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PORT ?= 8000
SCALE ?=
ROUNDS ?= 60
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

help: ## 列出全部目标 list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "需要 Python 3.11 或更新版本 / Python 3.11 or newer is needed"; exit 1; }
	@echo "建虚拟环境并按锁定版本安装（首次约一两分钟）/ virtual environment from the lock (a minute or two the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(VENV)/.installed ## 准备环境、前端文件、翻译 prepare everything
	@$(BIN)/python tools/frontend.py
	@$(BIN)/python -m doudi.web.translations
	@$(BIN)/python -m compileall -q src/doudi # else every command reads all of doudi anew where its user may not write here

demo: setup ## 演示：http://127.0.0.1:8000（PORT=… 换端口）the demonstration
	@$(BIN)/doudi demo --port $(PORT)

test: setup ## 跑测试（SQLite，不需要服务和浏览器）the tests, no service and no browser needed
	@$(BIN)/pytest -n 2 -q --dist loadfile --nomigrations --ignore=tests/journeys --ignore=tests/faults -m "not postgres"

test-postgres: setup ## 同一套测试在 PostgreSQL 上 the same tests on PostgreSQL
	@DOUDI_DATABASE_URL=$${DOUDI_TEST_POSTGRES:-postgresql://postgres@127.0.0.1:5432/test} $(BIN)/pytest -n 2 -q --dist loadfile tests/contexts tests/web tests/api
	@$(BIN)/pytest -q -m postgres tests/cli

test-browser: setup ## 浏览器里的全程 journeys in Chromium
	@$(BIN)/pytest -q tests/journeys

test-faults: setup ## 随机时刻杀进程 kill the process at many points
	@$(BIN)/pytest -q tests/faults --rounds $(ROUNDS)

fuzz: setup ## 对每个解析器做模糊测试（SECONDS=60，atheris 首次自动安装）every parser under atheris
	@$(BIN)/python -m tests.fuzz.run --seconds $(or $(SECONDS),60)

load: setup ## 一个省同时办公（SECONDS=900，需 PostgreSQL，locust 首次自动安装）a province at work
	@$(BIN)/python -m benchmarks.load_province --seconds $(or $(SECONDS),900)

prove: setup ## 逐条证明 docs/reference/assurance.md 的承诺 every promise of the assurance page
	@$(BIN)/python tools/prove.py $(ONLY)

wheelhouse: setup ## 离线安装包：连同本目录整个拷走 everything that an offline machine needs
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --require-hashes -r requirements.lock -d wheelhouse
	@test -d src/doudi/web/static/vendor/echarts || { echo "前端文件不全，请先 make setup / front-end files are missing"; exit 1; }
	@echo "已备好 wheelhouse/。请把整个目录拷到离线机器，运行 make install-offline / copy this whole folder, then make install-offline"

install-offline: ## 在没有网络的机器上安装 install without a network, from ./wheelhouse
	@test -d wheelhouse || { echo "没有 wheelhouse/：请先在有网络的机器上 make wheelhouse / make wheelhouse first, where there is a network"; exit 1; }
	@test -n "$(PYTHON)" || { echo "需要 Python 3.11 或更新版本 / Python 3.11 or newer is needed"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --find-links wheelhouse --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .
	@test -d src/doudi/web/static/vendor/echarts || { echo "缺少前端文件：拷贝时要带上 src/doudi/web/static/vendor / the front-end files were not copied"; exit 1; }
	@$(BIN)/python -m doudi.web.translations >/dev/null
	@$(BIN)/python -m compileall -q src/doudi
	@touch $(VENV)/.installed
	@echo "已安装。请设好 DOUDI_HOME，运行 $(BIN)/doudi doctor / installed; set DOUDI_HOME and run $(BIN)/doudi doctor"

lint: setup ## 格式、类型、分层 style, types, layers
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

check: lint test ## CI 所做的一切，除服务和浏览器 what CI does, without services

bench: setup ## 性能对比（SCALE=80e6 为全量）benchmarks beside their peers
	@$(BIN)/python -m benchmarks $(if $(SCALE),--scale $(SCALE))

bench-officers: setup ## 五十人同时办公、百万条历史（PostgreSQL）fifty officers at once
	@$(BIN)/python -m benchmarks.bench_officers

docs: setup ## 文档 the documentation
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

screenshots: setup ## 重新截图 pictures for the README
	@home=$$(mktemp -d) && DOUDI_HOME=$$home $(BIN)/doudi demo --no-serve 2>/dev/null && \
	{ DOUDI_HOME=$$home $(BIN)/doudi demo --port 8765 >/dev/null 2>&1 & pid=$$!; \
	for i in $$(seq 60); do $(BIN)/python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8765/healthz')" 2>/dev/null && break; sleep 1; done; \
	$(BIN)/python tools/screenshots.py http://127.0.0.1:8765; done=$$?; kill $$pid; rm -rf $$home; exit $$done; }

lock: ## 更新锁定文件（需要 uv）refresh the lock
	@uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-header -q -o requirements.lock

clean: ## 删除环境和演示数据 remove the environment and ./var
	@rm -rf $(VENV) var node_modules

.PHONY: fuzz load prove wheelhouse install-offline help setup demo test test-postgres test-browser test-faults lint check bench bench-officers docs screenshots lock clean

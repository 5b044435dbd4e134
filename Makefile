# Every command of the project; `make help` lists them.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run test lint format sql pictures lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

run: .venv/.runtime ## serve on http://127.0.0.1:5000; the first time set everything up
	@exec $(BIN)/python -m app.server

test: .venv/.dev ## run every test
	@exec $(BIN)/python -m pytest

lint: .venv/.dev ## check style, types and known flaws of dependencies
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements.txt || \
		{ [ $$? -eq 1 ] && [ -n "$(OFFLINE)" ]; }

format: .venv/.dev ## bring the code into the one style
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

sql: .venv/.runtime ## write sql/loguserapp.sql from the migrations
	@$(BIN)/python -m app.schema > sql/loguserapp.sql.new && mv sql/loguserapp.sql.new sql/loguserapp.sql

pictures: .venv/.dev ## take the pictures of the documentation anew (needs Chromium)
	@mkdir -p docs/images && $(BIN)/python docs/pictures.py

lock: ## pin every dependency with its hashes (needs uv)
	@uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		-p 3.11 pyproject.toml -o requirements.txt
	@uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		-p 3.11 pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt

clean: ## remove the virtual environment and caches; the instance folder stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis tests/node/node_modules

.venv/.runtime: requirements.txt | .venv/.python
	@echo "loguserapp: installing the dependencies (only the first time)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt tests/node/package-lock.json .venv/.runtime
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@{ command -v npm >/dev/null && npm ci --prefix tests/node --loglevel=error --no-audit --no-fund >/dev/null; } || \
		echo "loguserapp: npm is missing or failed; the tests with Node.js programs are skipped"
	@touch $@

.venv/.python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "loguserapp: no $(PYTHON) found. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "loguserapp: $(PYTHON) is too old. Install Python 3.11 or newer, or name it: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 || { rm -rf .venv; \
		echo "loguserapp: $(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@

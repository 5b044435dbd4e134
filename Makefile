# Every command of the project; `make help` lists them.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run demo test coverage test-image-python test-compose test-cluster test-examples bench lint format sql translations backup restore rolling-update pictures lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' Makefile

run: .venv/.runtime ## serve on http://127.0.0.1:5000; the first time set everything up
	@exec $(BIN)/python -m app.server

demo: .venv/.runtime ## the same with the examples Next.js, Laravel and perpustakaan, on http://127.0.0.1:3000
	@exec $(BIN)/python -m tools.demo

test: .venv/.dev ## run every test
	@$(BIN)/python -m pytest -m "not compose and not alone and not examples and not cluster" --numprocesses auto --dist worksteal
	@exec $(BIN)/python -m pytest -m alone

coverage: .venv/.dev ## run the quick tests and say which lines and branches they leave out
	@exec $(BIN)/python -m pytest -q --cov --cov-report=term --numprocesses auto --dist worksteal

# The source is read-only there, and the packages are installed in the container.
test-image-python: ## run the quick tests on the Python of the image, on SQLite (needs Docker)
	@exec docker run --rm -v "$(CURDIR)":/loguserapp:ro,z -w /loguserapp \
		-e PYTHONDONTWRITEBYTECODE=1 -e HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis \
		"$$(awk '/^FROM python:/ { print $$2; exit }' Dockerfile)" sh -euc ' \
			python -m venv /tmp/venv; \
			/tmp/venv/bin/python -m pip install -q --disable-pip-version-check \
				--only-binary :all: --require-hashes -r requirements-dev.txt; \
			exec /tmp/venv/bin/python -m pytest -p no:cacheprovider --numprocesses auto --dist worksteal'

test-compose: .venv/.dev ## run the production stack and break it (needs Docker; 5 minutes)
	@exec $(BIN)/python -m pytest -m compose -s -v tests/system

# Ended from outside if it should hang; it removes all that it started then, too.
test-cluster: .venv/.dev ## run the database cluster and break it (needs Docker and root; 15 minutes)
	@exec timeout --foreground -s INT -k 120 30m $(BIN)/python -m pytest -m cluster -s -v tests/cluster

test-examples: .venv/.dev ## run the programs in examples/ against the service (needs Node.js, PHP, Docker; 15 minutes)
	@$(BIN)/python -m pytest -m examples -v -s tests/examples
	@exec $(BIN)/python -m pytest -m "" -q examples/perpustakaan/tests

lint: .venv/.dev ## check style, types, imports and known flaws of dependencies
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/mypy examples/flask \
		&& MYPYPATH=examples/perpustakaan:examples/perpustakaan/tests:. $(BIN)/mypy --explicit-package-bases examples/perpustakaan \
		&& $(BIN)/lint-imports
	@$(BIN)/pip-audit --require-hashes --disable-pip --progress-spinner off -r requirements.txt

format: .venv/.dev ## bring the code into the one style
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

sql: .venv/.runtime ## write sql/loguserapp.sql from the migrations
	@$(BIN)/python -m app.server.dump_sql > sql/loguserapp.sql.new && mv sql/loguserapp.sql.new sql/loguserapp.sql

translations: .venv/.dev ## bring the catalogues of app/translations in line with the messages of the code
	@$(BIN)/python -m tools.translations

backup: ## write database and keys of the production stack into backups/, or FILE=…
	@exec deploy/backup.sh

restore: ## bring a backup into an empty production stack: FILE=backups/…
	@exec deploy/restore.sh

rolling-update: ## put a new version in the running one's place, replica by replica
	@exec deploy/rolling-update.sh

bench: .venv/.runtime .venv/peers/.done ## measure the service beside its peers (10 minutes; Node.js, wrk, Docker if there)
	@exec $(BIN)/python -m benchmarks

pictures: .venv/.dev ## take every page and state into pictures/ or INTO=…, and those of the documentation (needs Chromium)
	@exec $(BIN)/python -m tools.pictures $(or $(INTO),pictures)

lock: ## pin every dependency with its hashes (needs uv)
	@uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		-p 3.11 pyproject.toml -o requirements.txt
	@uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		-p 3.11 pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt
	@uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		-p 3.11 benchmarks/requirements.in -o benchmarks/requirements.txt
	@uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		-p 3.11 examples/perpustakaan/requirements.in -c requirements.txt \
		-o examples/perpustakaan/requirements.txt

clean: ## remove the virtual environment and caches; the instance folder stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage tests/node/node_modules benchmarks/peers/node_modules

.venv/.runtime: requirements.txt | .venv/.python
	@echo "loguserapp: installing the dependencies (only the first time)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt tests/node/package-lock.json .venv/.runtime
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@{ command -v npm >/dev/null && npm ci --prefix tests/node --loglevel=error --no-audit --no-fund >/dev/null; } || \
		echo "loguserapp: npm is missing or failed; the tests with Node.js programs are skipped"
	@touch $@

.venv/peers/.done: benchmarks/requirements.txt benchmarks/peers/package-lock.json | .venv/.python
	@$(PYTHON) -m venv .venv/peers
	@.venv/peers/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r benchmarks/requirements.txt
	@{ command -v npm >/dev/null && npm ci --prefix benchmarks/peers --loglevel=error --no-audit --no-fund >/dev/null; } || \
		echo "loguserapp: npm is missing or failed; the table will say so"
	@touch $@

.venv/.python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "loguserapp: no $(PYTHON) found. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "loguserapp: $(PYTHON) is too old. Install Python 3.11 or newer, or name it: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 || { rm -rf .venv; \
		echo "loguserapp: $(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@

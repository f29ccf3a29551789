# Everything one does here. Needs Python 3.11 or later, pip and make.
PY := .venv/bin/python
CODE := kefu_core kefu_server benchmarks tests
# Hundreds of processes are started; each would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo serve test check fix bench docs lock needs verify-tests verify-simulation verify-fuzz verify-network \
  verify-api verify-upgrade verify-restore verify-stop verify-install verify-image \
  verify-supply verify-judge
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

.venv/ready: requirements.lock pyproject.toml tools/environment.sh
	sh tools/environment.sh

demo: .venv/ready  ## a server with a shop page, an agent and real conversations
	exec .venv/bin/kefu demo

serve: .venv/ready  ## the server, from kefu.toml and KEFU_… variables
	exec .venv/bin/kefu serve

needs: .venv/ready
	sh tools/test-needs.sh

test: needs  ## set up all that the tests need, and run them all
	$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder

check: .venv/ready  ## lint, format, types, floors, spelling, JavaScript types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-cache
	$(PY) -m codespell_lib $(CODE) docs *.md
	node_modules/.bin/tsc --noEmit -p jsconfig.json

fix: .venv/ready  ## what a tool can put right
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

docs: .venv/ready  ## the documentation as a site, in site/
	$(PY) -m sphinx -q -W --keep-going -b html -c docs/site -d site/.doctrees . site
	@echo site/index.html

bench: .venv/ready  ## ten minutes of load, crashes and a large history: bench/report.html
	sh tools/bench.sh $(PY) bench

verify-tests: needs  ## the tests again, deeper (an hour)
	KEFU_TESTS=long $(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder

verify-simulation: .venv/ready  ## 10,000 simulated installations (10 minutes)
	$(PY) -m kefu_core.testing.sim --seeds 0-9999 --jobs 2

verify-judge: needs  ## break the code in thirteen ways: the check named for each must fail (15 minutes)
	$(PY) -m tests.sabotage

verify-fuzz: .venv/ready  ## arbitrary bytes into codecs and sessions for 10 minutes
	$(PY) -m tests.fuzz --minutes 10

verify-network: .venv/ready  ## every fault of networks on every transport (3 minutes)
	$(PY) -m tests.faults

verify-upgrade: needs  ## databases of the schema before, upgraded under a writer and killed meanwhile (5 minutes)
	$(PY) -m tests.faults.upgrading

verify-restore: .venv/ready  ## a backup under load, everything lost, a restore; and a million messages (5 minutes)
	$(PY) -m tests.faults.restoring

verify-stop: .venv/ready  ## thirty stops with 500 connections, over every transport (20 minutes)
	$(PY) -m tests.faults.stopping

verify-api: .venv/ready  ## every operation of the OpenAPI document, as everybody
	$(PY) -m tests.docs.walk --examples 200

verify-install: needs  ## the wheel on a bare Debian: proxy, TLS, backup, restore (2 minutes; root)
	command -v debootstrap >/dev/null || apt-get install -y -qq debootstrap
	sh tools/bare-root.sh "$(CURDIR)/.bare-root"
	KEFU_BARE_ROOT="$(CURDIR)/.bare-root" $(PY) -m pytest -n0 tests/e2e/test_installed.py

verify-image: needs  ## the image, built without Docker and lived in: talk, stop, every database (5 minutes; root)
	command -v buildah debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends buildah debootstrap
	sh tools/image.sh "$(CURDIR)/.image"
	KEFU_IMAGE="$(CURDIR)/.image" $(PY) -m pytest -n0 tests/e2e/test_image.py

verify-supply: .venv/ready  ## known holes of all that is locked, and the list of it (SBOM)
	sh tools/supply.sh

lock:  ## pin every dependency again (needs uv)
	uv pip compile pyproject.toml --all-extras --group dev --generate-hashes \
	  --universal --python-version 3.11 --no-annotate \
	  --custom-compile-command "make lock" -o requirements.lock

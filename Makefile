# `make` alone lists the recipes. Needs Python >= 3.11, make and git; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DATA ?= ../shared/eval
OUT ?= docs/results

help:  ## list the recipes
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(READY)  ## environment with the locked packages and the project, hooks

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

$(READY): .venv/bin/uv requirements.lock pyproject.toml
	VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@if git rev-parse --git-dir >/dev/null 2>&1; then git config core.hooksPath .githooks; fi
	@touch $@

demo: $(READY) ui  ## from a clone to a running product: database, plant, server, page
	$(BIN)/ic3 demo

test: $(READY) ui  ## the whole test suite
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder --ignore tests/ui
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/ui  # apart: a browser's driver keeps its loop

check: $(READY)  ## lock file, lint, format, types, import contracts, generated pages, sizes
	$(BIN)/python tools/check_lock.py
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for each in tests/*/conftest.py; do $(BIN)/mypy $$each || exit 1; done
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/generate.py --check
	$(BIN)/python tools/sizes.py
	$(MAKE) --no-print-directory ui-check

lock: .venv/bin/uv  ## resolve the dependencies anew into requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url --no-emit-find-links --group dev --extra sim --extra eval pyproject.toml --upgrade --output-file requirements.lock

bench: $(READY)  ## the timed runs beside the Go peer; needs a quiet machine
	$(BIN)/python bench/run.py

chaos: $(READY)  ## kill program, database and plant at random for some minutes, then compare
	cd tests/flow && ../../$(BIN)/python chaos.py

outage: $(READY)  ## hang the database for ten minutes, then time until all is stored
	cd tests/flow && ../../$(BIN)/python outage.py

soak: $(READY)  ## an hour at the size of a real plant, to see that memory stays flat
	cd tests/flow && ../../$(BIN)/python soak.py

fuzz-api: $(READY)  ## ten thousand requests made from the OpenAPI document: no 5xx, every answer as described
	cd tests/flow && ../../$(BIN)/python fuzz_api.py

fuzz: $(READY)  ## a million damaged envelopes through the parser
	$(BIN)/python bench/fuzz.py

bench-register: $(READY)  ## an import of 10,000 rows, and what the last page of a list costs
	$(BIN)/python bench/register.py

bench-plant: $(READY)  ## what the simulated plant costs, and 30 days of its history
	$(BIN)/python bench/plant.py

bench-orders: $(READY)  ## what a list of 100,000 work orders costs
	$(BIN)/python bench/orders.py

bench-analytics: $(READY)  ## a day of the plant judged from history: make bench-analytics DATA=DIR
	IC3_DATA_DIR=$(DATA) $(BIN)/python bench/analytics.py

bench-idle: $(READY)  ## a week without faults, and what it opens all the same: make bench-idle DATA=DIR
	IC3_DATA_DIR=$(DATA) $(BIN)/python bench/idle.py

bench-confidence: $(READY)  ## of findings that say so many percent, how many are true
	$(BIN)/python bench/confidence.py

bench-gis: $(READY)  ## the map with 10,000 assets, and the isolation trace
	$(BIN)/python bench/gis.py

bench-ui: $(READY) ui  ## what the dashboard must keep by the clock, half an hour; ARGS="--soak-hours 8"
	PYTHONPATH=tests/flow:tests/ui:tests/api $(BIN)/python bench/ui.py $(ARGS)

bench-live: $(READY)  ## what live clients cost, and how late they know
	$(BIN)/python bench/live.py --clients 1000

eval: $(READY)  ## the analytics scored on labelled data; DATA=DIR takes other files of the same formats
	$(BIN)/ic3 eval --data $(DATA) --out $(OUT)

bench-logins: $(READY)  ## how long logins take, and what others wait meanwhile; needs a quiet machine
	$(BIN)/python bench/logins.py

sbom: $(READY)  ## what a release is made of into dist/: CycloneDX and the list of licences
	$(BIN)/python tools/sbom.py dist

docs: $(READY)  ## write docs/reference/ and .env.example anew
	$(BIN)/python docs/generate.py

ui: $(READY)  ## build the dashboard, where it is older than its sources; IC3_SKIP_UI=1 leaves it out
	@$(BIN)/python hatch_build.py needs | VIRTUAL_ENV=.venv xargs -r $(BIN)/uv pip install --quiet
	@$(BIN)/python hatch_build.py build

ui-types: ui  ## write ui/src/api.d.ts anew from the OpenAPI document
	$(BIN)/python tools/openapi.py > ui/node_modules/.openapi.json
	$(BIN)/python hatch_build.py run types

ui-check: ui-types  ## types of the API as committed, svelte-check, vitest, sizes
	@git diff --exit-code --stat ui/src/api.d.ts || { echo "ui/src/api.d.ts was stale; commit it"; exit 1; }
	$(BIN)/python hatch_build.py run check
	$(BIN)/python hatch_build.py run test

ui-test: $(READY) ui  ## the dashboard in a real browser (Debian's Chromium)
	@command -v chromium >/dev/null || apt-get install -y -qq chromium || echo "no chromium: the tests are skipped"
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/ui

.PHONY: help setup demo test check lock chaos outage soak fuzz fuzz-api bench bench-plant bench-gis bench-live bench-ui bench-register bench-orders bench-analytics bench-logins eval sbom docs ui ui-types ui-check ui-test
.DEFAULT_GOAL := help

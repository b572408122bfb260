# Everything that a person or CI runs. Needs git, make and Python >= 3.11; the rest is fetched once and kept in
# .venv, ui/node_modules and .make (stamp files: what is newer than its stamp is done again).
#
#   make demo     three nodes on this machine, the first shares sample videos
#   make test     every test, the browser's included      (ARGS="-k words" picks some)
#   make soak     the tests that take minutes
#   make check    what CI runs: format, lint, types, tests
#   make bench    NAME=first_frame measures one thing; without NAME it lists them
#   make sim      the simulator, compiled (ARGS="--nodes 10000 --scenario churn")
#   make ui       builds the web page                      make wheel  builds dist/*.whl
#   make format   lays the Python code out
#   make lock     pins the dependencies anew (needs uv)    make clean  removes all that was made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .make
STATIC := src/headwater/web/static
NATIVE := build/native
# Large pages: ten thousand simulated nodes take more than a gigabyte, and all of it is touched all the time.
COMPILED := PYTHONPATH=$(NATIVE) PYTHONMALLOC=malloc GLIBC_TUNABLES=glibc.malloc.hugetlb=1

# Playwright's own Node needs libraries that small systems lack; the one that builds the page runs already.
export PLAYWRIGHT_NODEJS_PATH = $(shell cat $(STAMPS)/node 2>/dev/null)/node
# Where this is set every process would compile all of the node again: half a second that no user waits for.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test soak check lint bench sim ui wheel format lock clean

demo: $(STAMPS)/project $(STAMPS)/ui
	@exec $(BIN)/headwater lab $(ARGS)

test: $(STAMPS)/project $(STAMPS)/ui $(STAMPS)/browser
	@PATH="$$(cat $(STAMPS)/node):$$PATH" npm --prefix ui run --silent test
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

soak: $(STAMPS)/project $(STAMPS)/ui $(STAMPS)/browser
	@$(BIN)/python -m pytest -m slow $(ARGS)

check: lint test

lint: $(STAMPS)/project $(STAMPS)/ui
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PATH="$$(cat $(STAMPS)/node):$$PATH" npm --prefix ui run --silent check

bench: $(STAMPS)/project $(STAMPS)/ui $(STAMPS)/browser $(STAMPS)/rivals $(if $(filter sim,$(NAME)),$(STAMPS)/native)
	@$(if $(filter sim,$(NAME)),$(COMPILED)) $(BIN)/python -m bench $(NAME) $(ARGS)

sim: $(STAMPS)/project $(STAMPS)/native
	@$(COMPILED) $(BIN)/python -m headwater sim $(ARGS)

ui: $(STAMPS)/ui

wheel: $(STAMPS)/project $(STAMPS)/ui
	rm -rf dist
	$(BIN)/hatchling build -t wheel

format: $(STAMPS)/project
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(STAMPS) build dist ui/node_modules $(STATIC) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

# The Python side.

$(STAMPS)/venv: tools/venv.sh
	@mkdir -p $(STAMPS)
	@sh tools/venv.sh $(PYTHON) $(VENV)
	@touch $@

$(STAMPS)/dependencies: $(STAMPS)/venv requirements/dev.txt
	@echo "installing the Python packages (once)"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(STAMPS)/project: $(STAMPS)/dependencies pyproject.toml
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The overlay and its simulator as machine code.
$(STAMPS)/native: $(STAMPS)/dependencies tools/native.sh $(shell find src/headwater -name '*.py')
	@sh tools/native.sh $(BIN)/mypyc $(NATIVE)
	@touch $@

# What benchmarks compare with. Where it cannot be installed they leave it out and say so.
$(STAMPS)/rivals: $(STAMPS)/dependencies requirements/bench.txt
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/bench.txt || echo "no moq-rs here"
	@touch $@

# The web page. $(STAMPS)/node holds the folder of the Node that builds it: the system's, or one from a wheel.

$(STAMPS)/node: $(STAMPS)/venv tools/node.sh requirements/node.txt
	@sh tools/node.sh $(VENV) > $@.new && mv $@.new $@

$(STAMPS)/ui-packages: $(STAMPS)/node ui/package.json ui/package-lock.json
	@echo "installing the web page's packages (once)"
	@PATH="$$(cat $(STAMPS)/node):$$PATH" npm --prefix ui ci --silent --no-fund --no-audit
	@touch $@

UI_SOURCES := $(wildcard ui/*.html ui/*.ts ui/*.js ui/*.json) $(shell find ui/src ui/public -type f 2>/dev/null)

$(STAMPS)/ui: $(STAMPS)/ui-packages $(UI_SOURCES)
	@echo "building the web page"
	@PATH="$$(cat $(STAMPS)/node):$$PATH" npm --prefix ui run --silent build -- --logLevel warn
	@test -f $(STATIC)/index.html || { echo "the build left no $(STATIC)/index.html" >&2; exit 1; }
	@touch $@

# A Chromium for the tests: found, or installed.

$(STAMPS)/browser: $(STAMPS)/dependencies $(STAMPS)/node tools/browser.py
	@$(BIN)/python tools/browser.py --install > $@.new && mv $@.new $@

lock:
	@sh tools/lock.sh

docs/headwater.toml: src/headwater/node/config.py src/headwater/cli/sample.py $(STAMPS)/project
	$(BIN)/python -m headwater.cli.sample

# What a newcomer types. Every target does the set-up it needs; a set-up that is there costs nothing.
#   make demo   the whole factory on this machine    make test   everything that must hold

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS := edge,hub,train,dev
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tools keep caches and state below HOME; without one that can be written, they go beside the installation.
ifneq ($(shell test -n "$$HOME" && test -w "$$HOME" && echo yes),yes)
  export HOME := $(CURDIR)/$(VENV)/home
endif

.PHONY: help setup system demo demo-exit test lint screens bench gpu-check chaos lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | expand -t 12

setup: $(VENV)/.vendored ## install everything into .venv

demo: setup ## the whole factory, until Ctrl-C
	$(BIN)/andon demo

demo-exit: setup ## the same, ends by itself and fails if a fact is wrong
	$(BIN)/andon demo --exit

lint: setup ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Many tests wait for a process, a clock or a disk: one more at a time than there are cores, and no more than four.
# In order of their names, since by size the files with one long test would all come last.
BESIDE ?= $(shell cores=$$(nproc); echo $$((cores < 4 ? cores + 1 : 4)))

test: lint ## style, types and every test
	$(BIN)/python -m pytest --numprocesses $(BESIDE) --dist loadfile --no-loadscope-reorder --durations=25

screens: setup ## the pictures of the console in docs/screens
	ANDON_SCREENS=1 $(BIN)/python -m pytest tests/console/test_console_seen.py

bench: setup ## every benchmark
	$(BIN)/andon bench

gpu-check: setup ## every test and benchmark that needs a GPU, on this host's own
	$(BIN)/python tests/gpu/gpu_check.py

chaos: MINUTES ?= 10
chaos: SEED ?= 1
chaos: setup ## kill, cut, fill, clone and restore for MINUTES=10 by SEED=1, and account for every sample
	$(BIN)/python tests/chaos/chaos_main.py --minutes $(MINUTES) --seed $(SEED)

lock: setup ## resolve constraints.txt anew
	$(BIN)/python .ci/lock.py

clean: ## remove what was installed and built here
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# What the machine itself must have. Only root can install it; everybody else is told what is missing.
$(VENV)/.system: .ci/system
	@PYTHON="$(PYTHON)" bash .ci/system
	@mkdir -p $(VENV) && touch $@

$(VENV)/.installed: $(VENV)/.system pyproject.toml constraints.txt
	@mkdir -p "$$HOME"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]' --constraint constraints.txt
	@touch $@

# The console's third-party scripts are not in git: npm fetches them once, pinned and checked. Without them its
# pages show tables in place of charts, so a machine that has no npm or cannot reach its registry goes on.
$(VENV)/.vendored: $(VENV)/.installed $(wildcard cloud_hub/console/vendor.py cloud_hub/console/frontend/*)
	@$(BIN)/python -m cloud_hub.console.vendor && touch $@ || echo "going on: the console has tables but no charts"

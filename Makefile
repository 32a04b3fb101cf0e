# Two commands on a fresh machine: `make book` and `make test`. Both install what is missing into .venv.
PYTHON ?= python3
PROFILE ?= quick
DEVICE ?=
SHARD ?= 1/1
BIN := .venv/bin
READY := .venv/ready

ifneq ($(wildcard ../shared/data),)
export DLBOOK_DATA ?= $(abspath ../shared/data)
endif

.PHONY: book test execute clean
.DEFAULT_GOAL := book

book: $(READY)
	@$(BIN)/dlbook build

test: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist loadfile

execute: $(READY)
	@$(BIN)/dlbook execute --all --profile $(PROFILE) $(if $(DEVICE),--device $(DEVICE)) --shard $(SHARD)

$(READY): pyproject.toml constraints.txt package-lock.json
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python " + sys.version.split()[0] + " is too old: Python 3.11 or newer is needed; call make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "python could not make .venv; on Debian and Ubuntu install python3-venv first"; rm -rf .venv; exit 1; }
	@echo "Installing into .venv (once; a few minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[press,test]'
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --ignore-scripts --silent || echo "The fonts could not be installed (npm ci failed); the book uses the system's fonts. Run make again once the network is back."
	@touch $@

clean:
	rm -rf _build _book

# Two commands on a fresh machine: `make book` and `make test`. Both install what is missing into .venv.
PYTHON ?= python3
PROFILE ?= quick
DEVICE ?=
SHARD ?= 1/1
BIN := .venv/bin
WANTED := cat pyproject.toml constraints.txt | cksum

.PHONY: book test execute whole clean ready install fonts
.DEFAULT_GOAL := book

book: ready
	@$(BIN)/dlbook build

test: ready
	@$(BIN)/python -m pytest -n 2 --dist loadfile

execute: ready
	@$(BIN)/dlbook execute --all --profile $(PROFILE) $(if $(DEVICE),--device $(DEVICE)) --shard $(SHARD)

# What each chapter and each page must pass one by one: exercises, code-alongs, accessibility. Two kernels run side by
# side: more threads than cores make small tensors ten times slower.
whole: ready
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m whole

# Installs only where the wanted packages changed in content: nbdev writes pyproject.toml anew with each export.
ready:
	@test -x $(BIN)/dlbook && $(WANTED) | cmp -s - .venv/ready || $(MAKE) --no-print-directory install
	@cksum < package-lock.json | cmp -s - node_modules/.ready || $(MAKE) --no-print-directory fonts

install:
	@test -x $(BIN)/python || command -v "$(PYTHON)" > /dev/null || { echo "$(PYTHON) is not there: Python 3.11 or newer is needed; install it, or call make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python " + sys.version.split()[0] + " is too old: Python 3.11 or newer is needed; call make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv || { echo "python could not make .venv; on Debian and Ubuntu install python3-venv first"; rm -rf .venv; exit 1; }
	@echo "Installing into .venv (once; a few minutes)"
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[chapters,press,test]'; \
	then $(WANTED) > .venv/ready; \
	elif test -x $(BIN)/dlbook; then echo "The packages could not be brought up to date (pip failed); those that are there are used. Run make again once the network is back."; \
	else echo "The packages could not be installed (pip failed); run make again once the network is back."; exit 1; fi

fonts:
	@if PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --ignore-scripts --silent --fetch-retries 1; \
	then cksum < package-lock.json > node_modules/.ready; \
	else echo "The fonts could not be installed (npm ci failed); the book uses the system's fonts. Run make again once the network is back."; fi

clean:
	rm -rf _build _book

# Offhook: `make demo` and `make test` set everything up on a fresh machine, each by itself.
# They need Python 3.11 or newer with venv, make, and the package registries.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Foreign programs that the tests call: SIPp, softphones, a scanner, a browser. Debian's packages.
FOREIGN_PACKAGES := sip-tester baresip linphone-cli sipvicious chromium tshark

# The same source with its call path compiled to C, in an environment of its own (needs a C compiler).
FAST := build/fast
FAST_BIN := $(FAST)/venv/bin
FAST_READY := $(FAST)/.ready
FAST_BUILD := $(abspath $(FAST))/c
FAST_PROFILE := $(abspath $(FAST))/profile
# Nobody else calls what is inside of it: so the compiler may call it straight, and put small functions into others.
FAST_FLAGS := -fvisibility=hidden -fno-plt
COMPILED_FROM := $(foreach package,switch rating provisioning media traces voicemail billing care portal offhook,$(wildcard $(package)/*.py $(package)/*/*.py $(package)/*/*/*.py))

RTPPROXY := build/rtpproxy

# The fuzzer's own environment: atheris is for it alone, and has wheels for few systems.
FUZZ := build/fuzz
FUZZ_BIN := $(FUZZ)/venv/bin
FUZZ_READY := $(FUZZ)/.ready
SECONDS ?= 300
MESSAGES ?= 10000000

# Random calls that `make rerate` rates twice.
CALLS ?= 1000000

# What speaks the prompts: packages of PyPI, and the voices out of one of npm's. For `make prompts` alone.
VOICE := build/voice
VOICE_BIN := $(VOICE)/venv/bin
VOICE_READY := $(VOICE)/.ready
VOICES_PACKAGE := kokoro-js-1.2.1
VOICES_SHA256 := 1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860

.PHONY: help demo test test-fast fast fast-wheel kill rerate lint bench rtpproxy fuzz fuzz-long prompts setup foreign clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    a running exchange, two real softphones, a call on prepaid credit"
	@echo "make test    the whole test suite"
	@echo "make lint    ruff, mypy --strict, import-linter"
	@echo "make bench   CPU time for each completed call, compiled too, beside Kamailio where it is installed (QUICK=1: short)"
	@echo "make kill    the long crash tests"
	@echo "make rerate  random calls rated twice, by the engine and by a slow rater with fractions (CALLS=1000000)"
	@echo "make fuzz    coverage-guided fuzzing of all that reads messages, 300 s in all (SECONDS=n); docs/fuzzing.md"
	@echo "make fuzz-long    the same, then ten million mutated messages (MESSAGES=n)"
	@echo "make prompts new and changed prompts spoken from media/prompts/en_GB.toml (needs npm; docs/sound.md)"
	@echo "make fast    a wheel with the call path compiled to C, in $(FAST) (needs a C compiler); make test-fast tests it"

demo: setup
	$(BIN)/python -m demo

# On a busy machine a softphone may ring too late for its caller: what failed is run once more, by itself, and said to be.
test: setup foreign
	$(BIN)/pytest || { [ $$? -eq 1 ] && echo "Once more, by itself, what failed:" && $(BIN)/pytest --last-failed; }

kill: setup foreign
	$(BIN)/python -m tests.wire.kill

rerate: setup
	$(BIN)/python -m tests.rating.rerate $(CALLS)

fast: $(FAST_READY)

# Built twice: the first wheel counts its branches under the load of bench/training.py, and from its counts the compiler knows
# in the second one what is hot. Where there is no GCC or no SIPp it is built once, and a call takes more CPU.
$(FAST_READY): requirements-dev.lock pyproject.toml Makefile $(COMPILED_FROM) | setup foreign
	@command -v cc >/dev/null || { echo "make fast needs a C compiler; on Debian: apt-get install gcc libc6-dev python3-dev"; exit 1; }
	rm -rf $(FAST) && mkdir -p $(FAST)/source && touch $(FAST)/.began
	cp -r pyproject.toml README.md billing care conf media offhook portal provisioning rating switch traces voicemail $(FAST)/source/
	$(PYTHON) -m venv $(FAST)/venv
	$(FAST_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@if cc --version | grep -q "Free Software Foundation" && command -v sipp >/dev/null; then \
	  $(MAKE) --no-print-directory fast-wheel C_FLAGS="-fprofile-generate=$(FAST_PROFILE)" && \
	  $(BIN)/python -m bench.training && \
	  $(MAKE) --no-print-directory fast-wheel C_FLAGS="-fprofile-use=$(FAST_PROFILE) -Wno-missing-profile -Wno-error=coverage-mismatch"; \
	else echo "without GCC or SIPp the compiler is not told what is hot"; $(MAKE) --no-print-directory fast-wheel; fi
	@mv $(FAST)/.began $(FAST_READY)  # as old as what was compiled

# The compiler finds its counts again by the names of files: the same folder, the same C both times.
fast-wheel:
	rm -rf $(FAST_BUILD) && mkdir -p $(FAST_BUILD)
	PYTHONHASHSEED=0 CFLAGS="$(FAST_FLAGS) $(C_FLAGS)" LDFLAGS="$(C_FLAGS)" HATCH_BUILD_HOOKS_ENABLE=1 HATCH_MYPYC_BUILD_DIR=$(FAST_BUILD) \
	  $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir $(FAST) $(FAST)/source
	rm -rf $(FAST_BUILD)
	$(FAST_BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall $(FAST)/offhook-*.whl

# Away from the source, so that what is imported is what was compiled.
test-fast: fast
	rm -rf $(FAST)/tree && mkdir -p $(FAST)/tree && cp -r tests fuzz docs conf pyproject.toml $(FAST)/tree/
	ln -sfn ../../../shared $(FAST)/shared
	cd $(FAST)/tree && ../venv/bin/python -m pytest -m "not wire" tests/switch tests/rating tests/media

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What runs in production is measured, too, where it can be built.
bench: setup foreign rtpproxy
	@if command -v cc >/dev/null; then $(MAKE) --no-print-directory fast; else echo "no C compiler: the compiled build is left out"; fi
	$(BIN)/python -m bench
	$(BIN)/python -m bench.tracing
	$(BIN)/python -m bench.month
	$(BIN)/python -m bench.search

# RTPProxy's engine to measure the relay beside, in an environment of its own; without it that table is shorter.
rtpproxy:
	@test -x $(RTPPROXY)/venv/bin/python || { $(PYTHON) -m venv $(RTPPROXY)/venv && \
	  $(RTPPROXY)/venv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: rtp.io==1.1.1; } \
	  || { rm -rf $(RTPPROXY); echo "the wheel rtp.io is not to be had: RTPProxy's engine is left out"; }

fuzz: $(FUZZ_READY)
	$(FUZZ_BIN)/python -m fuzz run --seconds $(SECONDS)

fuzz-long: fuzz
	$(FUZZ_BIN)/python -m fuzz storm --messages $(MESSAGES)

$(FUZZ_READY): fuzz/requirements.lock
	@mkdir -p $(FUZZ)
	$(PYTHON) -m venv $(FUZZ)/venv
	@$(FUZZ_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r fuzz/requirements.lock \
	  || { echo "atheris, the fuzzer, has wheels for CPython 3.11 to 3.14 on 64-bit x86 Linux with glibc; $(PYTHON) is" \
	       "$$($(PYTHON) -V 2>&1) on $$(uname -sm). Name another: make fuzz PYTHON=python3.12. Without it:" \
	       "$(BIN)/python -m fuzz storm, plain mutations in the environment of the tests"; exit 1; }
	@touch $(FUZZ_READY)

prompts: $(VOICE_READY)
	$(VOICE_BIN)/python -m voice speak
	$(VOICE_BIN)/python -m voice judge

$(VOICE_READY): voice/requirements.lock
	@command -v npm >/dev/null || { echo "make prompts needs npm; on Debian: apt-get install npm"; exit 1; }
	@mkdir -p $(VOICE)
	$(PYTHON) -m venv $(VOICE)/venv
	$(VOICE_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r voice/requirements.lock
	npm pack --silent --pack-destination $(VOICE) kokoro-js@$(VOICES_PACKAGE:kokoro-js-%=%)
	echo "$(VOICES_SHA256)  $(VOICE)/$(VOICES_PACKAGE).tgz" | sha256sum --check --quiet
	tar -xzf $(VOICE)/$(VOICES_PACKAGE).tgz -C $(VOICE) package/voices
	@touch $(VOICE_READY)

setup: $(READY)

# The project itself is installed as a link to this directory, so that an edit needs no second install.
$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "offhook needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "python3 -m venv does not work here; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

foreign:
	@sh tests/foreign_programs.sh $(FOREIGN_PACKAGES)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

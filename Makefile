# SPDX-License-Identifier: MPL-2.0
# The project's commands. They are thin: cargo and scripts/ do the work.

# The cargo features of the plugin: by default those that this machine's GStreamer has (scripts/features), analytics
# from 1.24 and tensors from 1.26 on. FEATURES=analytics leaves tensors out; FEATURES=none builds with neither.
FEATURES ?=
CARGO ?= cargo
# Asked again in each recipe, for set-up may have just installed what is found.
cargo_flags = --workspace --locked $(addprefix --features gst-plugin-andon/,$(shell scripts/features $(FEATURES)))
target = $(or $(CARGO_TARGET_DIR),target)
export PREFIX DESTDIR LIBDIR
# The runtime library for what cargo runs. Tests have their own plugin built in, so the installed one is hidden from them.
with_runtime = . scripts/env && unset GST_PLUGIN_PATH &&

.PHONY: help setup setup-build build demo test install uninstall package bench bench-peer fuzz train lint ci clean
.DEFAULT_GOAL = help

help: ## show this list
	@echo 'make demo and make test are all a newcomer needs; they install what is missing.'
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: ## install what is missing for all of this: GStreamer, ONNX Runtime, the tests' tools (root or sudo the first time)
	@scripts/setup $(if $(FEATURES),--features='$(FEATURES)')

# What building and running needs, without the tests' tools: about half as much.
setup-build:
	@scripts/setup --for=build $(if $(FEATURES),--features='$(FEATURES)')

build: setup-build ## build the plugin and the program `andon`, optimised
	@[ -e $(target)/release/andon ] || echo '== building: the first time cargo fetches 240 crates, 40 MB, and needs six to ten minutes on two cores'
	$(CARGO) build --release $(cargo_flags)

demo: build ## tell the whole story in two minutes; ends with a table and target/demo/report.html
	. scripts/env && $(target)/release/andon demo --out target/demo

# make test TESTS='--test abjoin' runs one file of tests.
TESTS ?=
test: setup ## run all tests (TESTS='--test abjoin': some)
	$(with_runtime) $(CARGO) test --no-fail-fast $(cargo_flags) $(TESTS)

bench: setup ## measure; print ratios to the bare runtime and the noise of this machine
	$(with_runtime) $(CARGO) bench --bench '*' $(cargo_flags)
	$(CARGO) bench -p andon-statistics --bench drift --bench calibration $(cargo_flags)

bench-peer: ## measure against GStreamer's onnxinference, in a Debian 13 root (needs root or sudo)
	scripts/debian-root --keep trixie scripts/bench-onnxinference

train: build ## train the models of models/ again; needs Python 3.11 and over two hours on two cores (MINUTES_SCALE=0.1: less)
	scripts/train

# Seconds for each target, and which targets: make fuzz SECONDS=600 TARGETS='manifest onnx'.
SECONDS ?= 20
TARGETS ?=
fuzz: setup ## feed the readers with what nobody would write; needs no nightly toolchain (SECONDS=20 for each of TARGETS=all)
	$(with_runtime) scripts/fuzz $(SECONDS) $(TARGETS)

# Where to: PREFIX, /usr/local by default, below DESTDIR. Needs no Rust, so root may run it after 'make build'.
install: ## install what 'make build' built: the plugin, andon, pages, pipelines, models (PREFIX=/usr/local; sudo where needed)
	@scripts/install

uninstall: ## remove everything that 'make install' installed, and nothing else (with the same PREFIX)
	@scripts/install --uninstall

# The Debian for which: SUITE=bookworm or trixie; this machine's by default.
SUITE ?=
package: ## make a Debian package in target/package (SUITE=bookworm or trixie: in a root of its own)
	@scripts/package $(SUITE)

lint: setup ## check formatting, clippy, rustdoc and the scripts; a warning is an error
	shellcheck --external-sources --severity=warning $$(git grep -lE '^#!/(usr/)?bin/(env )?(ba)?sh' -- scripts .ci packaging)
	$(CARGO) fmt --all --check
	$(CARGO) clippy --all-targets $(cargo_flags) -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps $(cargo_flags)

ci: ## run all checks: tests, lint, installation, and the tests again on Debian 13
	.ci/run

clean: ## remove everything that was built or fetched
	$(CARGO) clean

# Thin: what takes more than a few lines is in tests/stages, which also has the list of what `make test` runs.
.DEFAULT_GOAL := help
.PHONY: help setup build install package demo test test-deep bench bench-languages lint fmt

help: ## this text
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## install what a fresh machine lacks (Debian packages when root, else the command is printed)
	tests/stages/run setup

build: setup ## build the library and every program of the tests
	cargo build --release --locked --workspace --all-features --bins --examples
	tests/stages/run programs

PREFIX ?= /usr/local

install: ## the C and C++ headers and libraries, with pkg-config and CMake files, into PREFIX (also DESTDIR, LIBDIR)
	cargo build --release --locked -p librpcx-ffi
	ffi/package/install $(PREFIX)

package: setup ## the packages of every language into dist: wheel, jars, npm tarballs, an archive for C and C++
	packaging/package

demo: setup ## every language calls every other; then three servers, one of them killed under load, a circuit breaker
	examples/demo/run

test: ## everything that fits into forty minutes on two cores
	tests/stages/run test

test-deep: ## policy, fuzzing, sanitizers, soak, the grid again and again; writes docs/reports/deep.md (two hours)
	tests/stages/run deep

bench: ## measure beside the floor and the competitors; writes docs/bench (30 minutes on a quiet machine)
	bench/run --idle --check --write docs/bench

bench-languages: setup ## the languages beside gRPC in each; writes docs/bench/languages.md (40 minutes on a quiet machine)
	bench/run --entries bench/languages.json --startup --check --write docs/bench

lint: ## formatting, lints and types of every language
	tests/stages/run lint

fmt: ## format every language
	cargo fmt --all
	tests/stages/run format

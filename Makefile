# SPDX-License-Identifier: Apache-2.0
#
# make demo    installs what is missing, builds, and shows the whole story on this machine
# make test    everything, ends with "N passed, N failed"
.PHONY: help packages build demo test lint format check-deep bench gas coverage install clean

help:
	@sed -n 's/^## //p' Makefile

## make packages    install what the build and the tests need (Debian packages, npm packages)
packages:
	@tools/bootstrap test

## make build       build/strongroom and build/room
build:
	@tools/bootstrap build
	@tools/build release

## make demo        build, then the story: protect, grant, run, decrypt, revoke
demo: build
	@tools/demo

## make test        every test: lint, unit, fuzz, contracts, integration, interop
test:
	@tools/bootstrap test
	@tools/run-tests

## make lint        the house rules that a program can check
lint:
	@tools/bootstrap test
	@tools/lint

## make format      clang-format over the tree
format:
	@tools/lint --format

## make check-deep  slow checks: analysers, MSan, TSan, valgrind, long fuzzing
check-deep:
	@tools/bootstrap deep
	@tools/check-deep

## make bench       what is measured, with numbers
bench: build
	@tools/bench

## make gas         gas of each contract call against the official contracts
gas: build
	@tools/gas

## make coverage    lines of the contracts that the forge tests run
coverage: build
	@tools/coverage

## make install     to PREFIX (/usr/local), under DESTDIR
PREFIX ?= /usr/local
install: build
	@meson configure build --prefix '$(PREFIX)'
	@meson install -C build --no-rebuild $(if $(DESTDIR),--destdir '$(DESTDIR)')

## make clean       remove what was built; downloads stay
clean:
	@rm -rf build build-checked build-deep-*

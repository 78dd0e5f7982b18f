# Two commands matter: make demo, make test. Both obtain what they need and say so.
GO ?= go
ADDR ?= 127.0.0.1:8080
# Where the demonstration's data lies; ./data unless said (see README, Configuration).
DATA ?=
# A test's database server: the folder of PostgreSQL's programs, found or obtained.
POSTGRES = $(shell bin/testamur obtain)


.PHONY: demo test bench bench-graphql lint generate build

build:
	$(GO) build -o bin/testamur ./cmd/testamur

demo: build
	@bin/testamur obtain >/dev/null
	@exec bin/testamur demo --addr $(ADDR) $(if $(DATA),--data $(DATA))

test: build
	@.ci/test

bench: build
	@TESTAMUR_POSTGRES_BIN="$(POSTGRES)" $(GO) test -run '^$$' -bench . -benchtime 1s ./... | grep -v 'no test files'

# The GraphQL API beside bare handlers, over 100,000 learners; the data is made once.
bench-graphql: build
	@$(GO) run ./internal/benchgraph -postgres "$(POSTGRES)"

lint: build
	@.ci/lint

generate:
	$(GO) generate ./...

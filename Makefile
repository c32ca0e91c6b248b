# The commands: `make run`, and beside it `make demo` in a second terminal; `make test`. They install and build what they need.

.PHONY: run demo test bench screenshots

run:
	cargo build --release --locked --bin zelo
	ZELO=target/release/zelo plugins/build
	target/release/zelo serve

# Plays a made-up day against the server that `make run` started, and shows what comes of it.
demo:
	@cargo build --release --locked --quiet --bin zelo
	@target/release/zelo play examples/day/day.jsonl --demo

test:
	tests/run

# Each prints both sides of its budget from one run.
bench:
	plugins/build
	cargo bench --locked
	cargo bench --locked -p zelo-store --bench privacy --features unsealed

# Every page as people see it, into target/screenshots.
screenshots:
	cargo build --release --locked --bin zelo
	ZELO=target/release/zelo plugins/build
	ZELO=$(CURDIR)/target/release/zelo tests/browser/screenshots

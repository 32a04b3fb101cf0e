"""The command `dlbook`. Each command says what it does in one call to the module that does it."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from press.book import BookError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Build, run and check the book.",
                  pretty_exceptions_enable=False)
console = Console()


def main() -> None:
    """Run a command; a BookError becomes its sentence and exit status 1, Ctrl-C becomes 130."""
    try:
        app()
    except BookError as error:
        Console(stderr=True).print(f"dlbook: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

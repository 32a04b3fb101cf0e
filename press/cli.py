"""The command `dlbook`. Each command says what it does in one call to the module that does it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from press import book as model
from press.book import BookError, ProblemsFound

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Build, run and check the book.",
                  pretty_exceptions_enable=False)
console = Console()


Chapters = Annotated[list[str] | None, typer.Argument(metavar="[CHAPTER]…", help="Ids, slugs or paths; all if none.")]

quiz_app = typer.Typer(no_args_is_help=True, help="Check the questions.")
app.add_typer(quiz_app, name="quiz")


@app.command()
def build(engine: Annotated[str, typer.Option(help="auto, quarto or pandoc")] = "auto",
          to: Annotated[str, typer.Option(help="html, pdf, epub; several with commas")] = "html,pdf,epub") -> None:
    """Export, compile, split, execute what changed, render."""
    from press.build import build
    build(model.load(), engine, tuple(to.split(",")), console)


@app.command()
def audit(chapters: Chapters = None) -> None:
    """Hold chapters against the chapter standard; exit status 1 where one falls short."""
    from press import audit as auditing
    book = model.load()
    results = auditing.audit(book, book.select(chapters or []))
    table = Table("chapter", *auditing.ROWS)
    for chapter, rows in results.items():
        table.add_row(chapter, *("–" if found is None else "✗" if found else "✓" for found in rows.values()))
    console.print(table)
    if problems := auditing.problems(results):
        raise ProblemsFound(problems)


@quiz_app.command("check")
def quiz_check() -> None:
    """Recompute every key and look for wording that harms a question."""
    from press import quiz
    book = model.load()
    if problems := quiz.check(book):
        raise ProblemsFound(problems)
    console.print(f"{sum(len(q.questions) for _, q in quiz.quizzes(book))} questions, no fault found.")


@quiz_app.command("schema")
def quiz_schema() -> None:
    """Print the JSON Schema of a quiz file, for editors."""
    import json

    from press import quiz
    print(json.dumps(quiz.schema(), indent=1))


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

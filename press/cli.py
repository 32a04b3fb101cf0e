"""The command `dlbook`. Each command says what it does in one call to the module that does it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from press import book as model
from press.book import BookError, ProblemsFound

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Build, run and check the book.",
                  pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
console = Console(width=None if sys.stdout.isatty() else 120)  # a table in a log keeps its columns


Chapters = Annotated[list[str] | None, typer.Argument(metavar="[CHAPTER]…", help="Ids, slugs or paths; all if none.")]

quiz_app = typer.Typer(no_args_is_help=True, help="Check the questions and export them.")
app.add_typer(quiz_app, name="quiz")
data_app = typer.Typer(no_args_is_help=True, help="The data sets: where each came from, and if its bytes are right.")
app.add_typer(data_app, name="data")
DataSets = Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Names of data sets; all if none.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"dlbook {version('dlbook')}")
        raise typer.Exit


@app.callback()
def _common(wanted: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True,
                                                 help="Print the version and exit.")] = False) -> None:
    pass


@app.command()
def build(engine: Annotated[str, typer.Option(help="auto, quarto or pandoc")] = "auto",
          to: Annotated[str, typer.Option(help="html, pdf, epub; several with commas")] = "html,pdf,epub") -> None:
    """Export, compile, split, execute what changed, render."""
    from press.build import build
    build(model.load(), engine, tuple(to.split(",")), console)


@app.command()
def execute(chapters: Chapters = None,
            profile: Annotated[str | None, typer.Option(help="quick or full")] = None,
            device: Annotated[str | None, typer.Option(help="cpu or cuda; the GPU where there is one")] = None,
            jobs: Annotated[int | None, typer.Option(help="Chapters at a time, sharing the cores.")] = None,
            everything: Annotated[bool, typer.Option("--all", help="Run chapters that have not changed too.")] = False,
            shard: Annotated[str | None, typer.Option(metavar="I/N", help="Run the i-th of n parts.")] = None,
            cell_timeout: Annotated[float | None, typer.Option(help="Seconds for one cell, 0: no limit.",
                                                             show_default="900; full: 14400")] = None,
            chapter_timeout: Annotated[float | None, typer.Option(help="Seconds for a chapter, 0: no limit.",
                                                                show_default="1800; full: 43200")] = None,
            memory: Annotated[float | None, typer.Option(help="MB for a chapter's processes, 0: no limit.",
                                                       show_default="0")] = None,
            ) -> None:
    """Run the chapters whose stored outputs are no longer true; exit status 1 where one fails."""
    from press import execute as executing
    book = model.load()
    results = executing.execute(book, book.select(chapters or []), profile, device, jobs, everything, shard,
                                cell_timeout, chapter_timeout, memory, console)
    if not all(result.ok for result in results):
        raise typer.Exit(1)


@app.command()
def render(engine: Annotated[str, typer.Option(help="auto, quarto or pandoc")] = "auto",
           to: Annotated[str, typer.Option(help="html, pdf, epub; several with commas")] = "html",
           jobs: Annotated[int | None, typer.Option(min=1, help="Pages at a time; all cores if not given.")] = None,
           ) -> None:
    """Render the stored outputs into `_book/`; only what changed is made anew."""
    from press import lint
    from press.files import alone
    from press.render import render as rendering
    book = model.load()
    if slips := lint.problems(book):
        raise ProblemsFound(slips)
    with alone(book), console.status("Rendering …") as status:
        report = rendering(book, engine, [name.strip() for name in to.split(",")], jobs,
                           lambda name: status.update(f"Rendering {name} …"))
    console.print(f"Rendered by {report.engine} in {report.seconds:.1f} s: {report.written} of {report.total} pages "
                  "changed.", highlight=False)


@app.command()
def serve(port: Annotated[int, typer.Option(help="0 takes a free one")] = 8000) -> None:
    """Serve `_book/` to this machine, until Ctrl-C."""
    from press import serve as serving
    with serving.server(model.load(), port) as server:
        console.print(f"The book is at http://{serving.HOST}:{server.server_port}/ (Ctrl-C ends it).", highlight=False)
        server.serve_forever()


@app.command()
def audit(chapters: Chapters = None) -> None:
    """Hold chapters against the chapter standard; exit status 1 where one falls short."""
    from press import audit as auditing
    _data_folder()                                    # exercises are tried on the data that the chapters ran on
    book = model.load()
    results = auditing.audit(book, book.select(chapters or []))
    table = Table("chapter", *auditing.ROWS)
    table.columns[0].no_wrap = True
    for chapter, rows in results.items():
        table.add_row(chapter, *("✗" if found else "✓" for found in rows.values()))
    console.print(table)
    if problems := auditing.problems(results):
        raise ProblemsFound(problems)


@app.command()
def mark(notebooks: Annotated[list[Path], typer.Argument(metavar="NOTEBOOK…", help="Notebooks, or folders of them.")],
         source: Annotated[Path | None, typer.Option(help="The exercises, where there is no book.")] = None,
         json: Annotated[Path | None, typer.Option(help="Write the marks to this file.")] = None,
         html: Annotated[Path | None, typer.Option(help="Write a page with all feedback to this file.")] = None,
         csv: Annotated[Path | None, typer.Option(help="Write the class table to this file.")] = None,
         solutions: Annotated[bool, typer.Option("--solutions", help="Tell the model answers.")] = False,
         cell_timeout: Annotated[float, typer.Option(help="Seconds for one cell.")] = 60,
         task_timeout: Annotated[float, typer.Option(help="Seconds for one task.")] = 180,
         memory: Annotated[float, typer.Option(help="MB for a task's processes.")] = 2048,
         jobs: Annotated[int, typer.Option(help="Tasks at a time.")] = max(1, (os.cpu_count() or 2) // 2)) -> None:
    """Mark readers' exercise notebooks, task by task; no sandbox: don't run notebooks that you don't trust."""
    from press import marking
    from press.marking import report
    book = None if source else model.load()
    settings = marking.Settings(marking.Limits(cell_timeout, task_timeout, memory), jobs, book and book.root, solutions)
    known = marking.sources(book, source)
    with console.status("Marking …") as status:
        marks = marking.mark(notebooks, known, settings, lambda mark: status.update(f"Marked {mark.name} …"))
    report.show(console, marks)
    for path in report.write(marks, json, html, csv):
        console.print(f"Written: {path}", markup=False, highlight=False, soft_wrap=True)
    if len(marks) == 1 and marks[0].refused or not marks:
        raise BookError("nothing was marked")


@quiz_app.command("check")
def quiz_check() -> None:
    """Recompute every key and look for wording that harms a question."""
    from press import quiz
    from press.build import left_out
    book = model.load()
    for path in (path for path in book.unlisted() if path.startswith("quizzes/")):
        console.print(left_out(path), markup=False, highlight=False, soft_wrap=True)
    if problems := quiz.check(book):
        raise ProblemsFound(problems)
    console.print(f"{sum(len(q.questions) for _, q in quiz.quizzes(book))} questions, no fault found.")


@quiz_app.command("export")
def quiz_export(chapters: Chapters = None,
                to: Annotated[str, typer.Option(help="moodle, qti, qti3, gift, anki or csv")] = ...,
                output: Annotated[Path | None, typer.Option(help="The folder to write into; _build/export if not given.")
                                  ] = None,
                variants: Annotated[int, typer.Option(min=1, help="Variants of a template to export.")] = 10,
                plain: Annotated[bool, typer.Option("--plain", help="QTI: the standard response templates only, without "
                                                    "feedback (for Blackboard).")] = False) -> None:
    """Write the questions for another system and say what became of each kind."""
    from press.quiz.export import export
    book = model.load()
    report = export(book, book.select(chapters or []), to, output, variants, feedback=not plain)
    table = Table("kind", "questions", "exported as", "remark")
    for kind, count, what, remark in report.table:
        table.add_row(kind, str(count), what, remark)
    console.print(table)
    for line in report.lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@quiz_app.command("exam")
def quiz_exam(name: Annotated[str, typer.Argument(help="A blueprint of quizzes/blueprints, such as mock-exam.")],
              form: Annotated[str, typer.Option(help="A to E: five draws of the same blueprint.")] = "A",
              output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("exams")) -> None:
    """Write an exam on paper, and its key with the marking scheme, as PDF."""
    from press.quiz import blueprint, paper
    book = model.load()
    number = paper.form_number(form)
    found = blueprint.load(book.root / "quizzes" / "blueprints" / f"{name}.yml")
    for path in paper.write(book, f"{name}-{form.lower()}", found, number, output):
        console.print(str(path), markup=False, highlight=False, soft_wrap=True)


@quiz_app.command("schema")
def quiz_schema() -> None:
    """Print the JSON Schema of a quiz file, for editors."""
    import json

    from press import quiz
    print(json.dumps(quiz.schema(), indent=1))


@data_app.command("list")
def data_list() -> None:
    """Show every data set of the book, who made it, on what terms, and where this machine has it."""
    from dlbook import data
    table = Table("name", "made by", "terms", "MB", "here")
    table.columns[0].no_wrap = table.columns[4].no_wrap = True
    with _data_errors():
        for e in data.catalogue():
            table.add_row(e.name, e.origin, e.terms, f"{e.size / 1e6:.2f}" if e.size else "", e.place)
    console.print(table)


@data_app.command("fetch")
def data_fetch(names: DataSets = None) -> None:
    """Download what is not on this machine yet, resume what was broken off, verify all of it."""
    from rich.progress import Progress

    from dlbook import data
    with _data_errors(), Progress(console=console) as progress:
        unpublished = [] if names else [e.name for e in data.catalogue() if e.place == "no" and not e.published]
        for name in names or [name for name in data.REGISTRY if name not in unpublished]:
            task = progress.add_task(name, total=None)
            data.fetch(name, lambda done, size, task=task: progress.update(task, completed=done, total=size))
            progress.update(task, completed=1, total=1)
    for name in unpublished:
        console.print(f"{name}: nobody publishes it in this form; put it into $DLBOOK_DATA", soft_wrap=True)


@data_app.command("verify")
def data_verify(names: DataSets = None) -> None:
    """Hash the files again; exit status 1 where one is wrong, or a data set that you named is not here."""
    from dlbook import data
    with _data_errors():
        found = [row for name in names or data.REGISTRY for row in data.verify(name)]
    for path, verdict in found:
        console.print(f"{path}  {verdict}", markup=False, highlight=False, soft_wrap=True)
    passed = {data.SOUND} if names else {data.SOUND, data.ABSENT}
    if not {verdict for _, verdict in found} <= passed:
        raise typer.Exit(1)


@data_app.callback()
def _data_folder() -> None:
    """Look for the data where every other command of this book looks."""
    try:
        os.environ.update(model.data_folder(model.find_root()))
    except BookError:
        return


@contextmanager
def _data_errors() -> Iterator[None]:
    from dlbook.data import DataError
    try:
        yield
    except DataError as error:
        raise BookError(str(error)) from None


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

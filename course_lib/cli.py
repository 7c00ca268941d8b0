"""The `course` command: each subcommand calls one function, whose module is imported only then."""

import argparse
import os
import sys

from course_lib import __version__
from course_lib.errors import CourseError
from course_lib.grading import WEIGHTS_EXAMPLE


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: what follows `course` on the command line; from the command line itself where none are given.

    Returns:
        The exit status: 0 when all is well, 1 with one line that says why not, 2 for a command that can't be read.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an old Windows console can't show every sign
    options = _parse(arguments)
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except CourseError as error:
        print(f"course: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "course_lib":
            raise
        print(
            f"course: {error.name} is not installed. Fix: pip install -e '.[lab,speech,deploy,test,author]'",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has seen enough: course progress | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, others = parser.parse_known_args(arguments)
    if options.command is None:
        parser.print_help(sys.stderr)
        parser.exit(2)
    if options.command == "lab":
        options.jupyter_options = others
    elif others:
        parser.error(f"`course {options.command}` doesn't know {' '.join(others)}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="course", description="Software 2.0: Seeing and Hearing", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"course {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, run, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        added.set_defaults(run=run)
        return added

    command("lab", _lab, "open the lessons in JupyterLab; further options go to `jupyter lab`")
    check = command("check", _check, "check the answers of a lesson; the exit status is 0 once all are right")
    check.add_argument("lesson", nargs="?", default="", help="a lesson's name or number, such as backprop or 2")
    check.add_argument("--from", dest="source", metavar="FILE", help="a notebook or Python file other than your own")
    check.add_argument("--json", action="store_true", help="print one JSON object per exercise")
    command("progress", _progress, "show what you have solved")
    report = command("report", _report, "write all about one answer to a file, for when you are sure to be right")
    report.add_argument("exercise", help="an exercise's name, such as accuracy")
    report.add_argument("--from", dest="source", metavar="FILE", help="a notebook or Python file other than your own")
    command("update", _update, "carry your answers over to newer editions of the lessons")
    reset = command("reset", _reset, "start a lesson afresh; your copy is kept beside it")
    reset.add_argument("lesson", help="a lesson's name or number")
    data = command("data", _data, "fetch and prepare a data set; without a name, list them")
    data.add_argument("name", nargs="?", help="a data set's name, such as cifar10")
    data.add_argument("--from", dest="source", metavar="PATH", help="an archive or a folder that you have already")
    command("doctor", _doctor, "say what this machine has, and what is wrong with its fix")
    flight = command("preflight", _preflight, "for teachers: the eve of class, one page, green or red")
    flight.add_argument("--page", metavar="FILE", help="the page, if not artifacts/preflight.html")
    serve = command("serve", _serve, "put the trained models behind HTTP, WebSocket and a web page")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on; 0.0.0.0 for all of them")
    serve.add_argument("--port", type=int, default=8000, help="8000 where none is given; 0 takes a free one")
    serve.add_argument("--token", help="that clients must send; without the option, COURSE_TOKEN")
    serve.add_argument("--models", metavar="FOLDER", help="where the models are kept, if not in artifacts/serving")
    serve.add_argument("--quiet", action="store_true", help="write no line per request")

    build = command("build", _build, "for authors: make notebooks from lessons")
    build.add_argument("lessons", nargs="*", help="names or numbers; all where none is given")
    build.add_argument(
        "--keep-outputs", action="store_true", help="run nothing: only prose or the builder has changed since"
    )
    importing = command("import", _import, "for authors: bring an edited notebook back into its lesson")
    importing.add_argument("notebook", help="the notebook's path")
    new = command("new", _new, "for authors: write the skeleton of a lesson or an exercise")
    kinds = new.add_subparsers(dest="kind", required=True, metavar="KIND")
    lesson = kinds.add_parser("lesson", help="a lesson with its solutions and checks", allow_abbrev=False)
    lesson.add_argument("name", help="in lower case, such as recurrent")
    lesson.add_argument("number", nargs="?", type=int, help="the next free one, where none is given")
    exercise = kinds.add_parser("exercise", help="an exercise with its check and a mistake", allow_abbrev=False)
    exercise.add_argument("name", help="in lower case, such as max_pool2d")
    exercise.add_argument("--lesson", help="the lesson that it belongs to")
    grade = command("grade", _grade, "for instructors: grade a class's notebooks; their code runs behind walls")
    grade.add_argument("submissions", nargs="+", help="a folder, an archive (Canvas, Moodle, GitHub), or notebooks")
    grade.add_argument("--lesson", action="append", default=[], help="name or number; may come several times")
    grade.add_argument("--weights", metavar="FILE", help="points by exercise, as TOML; one each where there is none")
    grade.add_argument("--out", metavar="FOLDER", default="grades", help="where grades and pages go (grades)")
    grade.add_argument("--jobs", type=int, default=0, metavar="N", help="workers at a time; one for each core")
    grade.add_argument("--isolation", choices=["namespaces", "user", "process"], help="the tier to use at most")
    grade.add_argument("--require-isolation", action="store_true", help="refuse to run anything below the best tier")
    grade.add_argument("--edition", metavar="FOLDER", help="grade by the edition frozen there; freezes one at first")
    grade.add_argument("--seconds", type=float, default=5.0, metavar="N", help="time limit of each check (5)")
    grade.add_argument(
        "--ray", nargs="?", const="", metavar="ADDRESS", help="on a Ray cluster, last on the line; without one, here"
    )
    grade.formatter_class, grade.epilog = (
        argparse.RawDescriptionHelpFormatter,
        f"The weights are a TOML file, {WEIGHTS_EXAMPLE}",
    )
    command("matrix", _matrix, "for authors: hold every check against every known mistake")
    command("mutants", _mutants, "for authors: damage the references a little, and see whether the checks notice")
    return parser


def _lab(options: argparse.Namespace) -> int:
    from course_lib.workbook import lab

    return lab(options.jupyter_options)


def _check(options: argparse.Namespace) -> int:
    from course_lib.answers import check_lesson
    from course_lib.paths import lessons

    if not options.lesson:
        names = [lesson.name for lesson in lessons()]
        raise CourseError(f"Which lesson? The lessons are: {', '.join(names)}. For example: course check {names[0]}")
    return check_lesson(options.lesson, source=options.source, as_json=options.json)


def _progress(options: argparse.Namespace) -> int:
    from course_lib.exercises.progress import show

    return show()


def _report(options: argparse.Namespace) -> int:
    from course_lib.answers import report

    return report(options.exercise, source=options.source)


def _update(options: argparse.Namespace) -> int:
    from course_lib.workbook import update

    return update()


def _reset(options: argparse.Namespace) -> int:
    from course_lib.workbook import reset

    return reset(options.lesson)


def _data(options: argparse.Namespace) -> int:
    from data_scripts.prepare import prepare

    return prepare(options.name, source=options.source)


def _doctor(options: argparse.Namespace) -> int:
    from course_lib.doctor import doctor

    return doctor()


def _serve(options: argparse.Namespace) -> int:
    from course_lib.serving.command import serve

    return serve(host=options.host, port=options.port, token=options.token, folder=options.models, quiet=options.quiet)


def _preflight(options: argparse.Namespace) -> int:
    from course_lib.preflight import preflight

    return preflight(page=options.page)


def _build(options: argparse.Namespace) -> int:
    from course_lib.authoring.build import build

    return build(options.lessons, keep_outputs=options.keep_outputs)


def _import(options: argparse.Namespace) -> int:
    from course_lib.authoring.importing import import_notebook

    return import_notebook(options.notebook)


def _new(options: argparse.Namespace) -> int:
    from course_lib.authoring import skeletons

    if options.kind == "lesson":
        return skeletons.new_lesson(options.name, options.number)
    return skeletons.new_exercise(options.name, options.lesson)


def _grade(options: argparse.Namespace) -> int:
    from pathlib import Path

    from course_lib.grading.command import Options, grade_class

    return grade_class(
        Options(
            [Path(each).expanduser() for each in options.submissions],
            lessons=options.lesson,
            weights=Path(options.weights).expanduser() if options.weights else None,
            out=Path(options.out).expanduser(),
            jobs=max(options.jobs, 0),
            isolation=options.isolation,
            require_isolation=options.require_isolation,
            seconds=options.seconds,
            edition=Path(options.edition).expanduser() if options.edition else None,
            ray=options.ray,
        )
    )


def _matrix(options: argparse.Namespace) -> int:
    from course_lib.authoring.matrix import matrix

    return matrix()


def _mutants(options: argparse.Namespace) -> int:
    from course_lib.authoring.mutants import mutants

    return mutants()


if __name__ == "__main__":
    sys.exit(main())

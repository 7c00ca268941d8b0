"""`course grade`: from submissions to grades, with a progress bar; it goes on where it was broken off."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from course_lib.errors import CourseError
from course_lib.grading import tables
from course_lib.grading.class_page import Class, class_page
from course_lib.grading.frozen import use_edition
from course_lib.grading.intake import Submission, find_submissions
from course_lib.grading.pages import student_page
from course_lib.grading.plan import SECONDS_PER_CHECK, Plan, edition_of, imports_of, lessons_named_in, make_plan
from course_lib.grading.pool import Setting, drive_all, zygotes
from course_lib.grading.records import Run, begin, finish
from course_lib.grading.sandbox import TIERS
from course_lib.grading.similarity import Similarity, jplag_command, run_jplag
from course_lib.grading.spread import BEST, graders
from course_lib.grading.submission import grade, record_key
from course_lib.grading.surroundings import checkouts
from course_lib.grading.weights import Weights, read_weights
from course_lib.paths import checkout, lessons, write_atomically

Spread = Callable[[Iterator[Submission], Callable[[dict], None]], None]


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line.

    Attributes:
        submissions: folders, archives, notebooks.
        lessons: names or numbers; empty for those that the weights or the files name.
        weights: a TOML file with points; None for one point each.
        out: where the grades go.
        jobs: how many workers at a time.
        isolation: the tier to use at most; None for the best.
        require_isolation: refuse anything below the best tier.
        seconds: the time limit of each check.
        edition: the folder of a frozen edition; None for the course as it is.
        ray: the address of a Ray cluster; empty for one on this machine; None for none.
    """

    submissions: list[Path]
    lessons: list[str] = field(default_factory=list)
    weights: Path | None = None
    out: Path = Path("grades")
    jobs: int = 0
    isolation: str | None = None
    require_isolation: bool = False
    seconds: float = SECONDS_PER_CHECK
    edition: Path | None = None
    ray: str | None = None


def grade_class(options: Options) -> int:
    """Grade everybody, and write tables and pages.

    Returns:
        The exit status, 0.

    Raises:
        CourseError: there is nothing to grade, or the isolation that was required can't be reached.
    """
    started = time.monotonic()
    if options.edition:
        print(use_edition(options.edition))
    weights = read_weights(options.weights)
    submissions = find_submissions(options.submissions)
    draft = make_plan(_lessons(options, weights, submissions), seed=0)
    run = begin(options.out, edition=edition_of(draft), lessons=list(draft.lessons))
    plan = Plan(draft.lessons, run.seed, options.seconds)
    setting = _setting(options, plan)
    with _workers(options, setting, plan) as spread:
        _announce(setting, submissions, plan, run)
        keys = _grade_all(submissions, plan, run, spread)
    _write_everything(options.out, keys, run, plan, weights, setting.tier)
    print(
        f"Graded {len(keys)} submissions in {time.monotonic() - started:.0f} s. Begin with {options.out / 'class.html'}"
    )
    return 0


def _lessons(options: Options, weights: Weights, submissions: list[Submission]) -> list[str]:
    named = options.lessons or weights.lessons
    named = named or lessons_named_in([source.name for each in submissions for source in each.sources])
    if not named:
        raise CourseError("No file is called like a lesson: say which one to grade, such as --lesson backprop.")
    return named


def _setting(options: Options, plan: Plan) -> Setting:
    order = list(TIERS)
    tiers = order[order.index(options.isolation) :] if options.isolation else order
    if options.require_isolation or options.ray is not None:
        tiers = order[:1]
    hidden = [folder / "solutions" for folder in (checkout(), *checkouts())]
    hidden += [*(path.resolve() for path in options.submissions), options.out.resolve()]
    return Setting(imports_of(plan), hidden, tiers)


def _announce(setting: Setting, submissions: list[Submission], plan: Plan, run: Run) -> None:
    tier = TIERS[setting.tier]
    verb = "Going on with" if run.is_resumed else "Grading"
    print(f"{verb} {len(submissions)} submissions of {', '.join(plan.lessons)}.")
    print(f"Isolation: {tier.name} ({tier.means}). Attacks that it withstands: {tier.promise}.")
    if setting.why_not:
        print(f"Not reached: {'; '.join(setting.why_not)}", file=sys.stderr)


@contextlib.contextmanager
def _workers(options: Options, setting: Setting, plan: Plan) -> Iterator[Spread]:
    """Those who grade, here or on a cluster, as a function that takes submissions and passes on records."""
    if options.ray is None:
        edition = edition_of(plan)
        with zygotes(setting, options.jobs or os.cpu_count() or 1) as workers:
            yield lambda waiting, keep: drive_all((grade(each, plan, edition) for each in waiting), workers, keep)
        return
    if options.isolation not in (None, BEST):
        raise CourseError(
            f"--ray needs the isolation {BEST}: below it learners' code could talk to Ray, and Ray runs what it is "
            "sent. Leave --isolation out, or --ray."
        )
    with graders(options.ray, plan, hidden=setting.hidden, jobs=options.jobs) as cluster:
        setting.tier = BEST
        yield lambda waiting, keep: cluster.spread(waiting, plan, keep)


def _grade_all(submissions: list[Submission], plan: Plan, run: Run, spread: Spread) -> list[str]:
    """Grade who has no record yet; returns everybody's key, in order."""
    edition = edition_of(plan)
    keys = [record_key(submission, edition) for submission in submissions]
    with tqdm(total=len(submissions), unit="submission", disable=None) as bar:

        def waiting() -> Iterator[Submission]:
            for submission, key in zip(submissions, keys, strict=True):
                if run.record(key) is None:
                    yield submission
                else:
                    bar.update()

        def keep(record: dict) -> None:
            run.keep(record)
            bar.update()

        spread(waiting(), keep)
    return keys


def _write_everything(out: Path, keys: list[str], run: Run, plan: Plan, weights: Weights, tier: str) -> None:
    group, similarity, rows, suites, codes, told = Class(plan.lessons), Similarity(), [], [], {}, ""
    found_any = False
    jplag = jplag_command()
    for record in run.records(keys):
        slug = tables.slug_of(record)
        row = tables.row_of(record, weights, f"students/{slug}.html")
        rows.append(row)
        found_any |= any(each["file"] for each in record["lessons"].values())
        suites.append(tables.junit_suite(record))
        group.add(record, row)
        similarity.add(record, row.page)
        if jplag:
            codes[slug] = "\n\n".join(each.get("code", "") for each in record["lessons"].values())
        write_atomically(out / row.page, student_page(record, row, weights))
        tables.write_gradescope(out / "gradescope" / slug / "results.json", record, weights)
    _drop_earlier_pages(out, {Path(row.page).stem for row in rows})
    if rows and not found_any:
        print(
            f"No submission holds an answer to {', '.join(plan.lessons)}, so nobody has a point. Is it another lesson "
            "that they handed in? Name it with --lesson.",
            file=sys.stderr,
        )
    exercises = group.exercises()
    tables.write_grades(out / "grades.csv", rows, exercises, weights)
    assignment = ", ".join(f"{lesson.number:02d} {lesson.name}" for lesson in lessons() if lesson.name in plan.lessons)
    tables.write_canvas(out / "canvas.csv", rows, exercises, weights, assignment=assignment)
    tables.write_junit(out / "junit.xml", suites)
    if jplag:
        told = run_jplag(jplag, codes, out / "jplag")
        print(told)
    history = finish(run, out, group.summary())
    page = class_page(group, weights, similarity.pairs(), history, tier=tier, jplag=told)
    write_atomically(out / "class.html", page)


def _drop_earlier_pages(out: Path, slugs: set[str]) -> None:
    """Remove what an earlier run wrote for submissions that have changed since: nobody should be sent old points."""
    for page in (out / "students").glob("*.html"):
        if page.stem not in slugs:
            page.unlink()
    for results in (out / "gradescope").glob("*/results.json"):
        if results.parent.name not in slugs:
            results.unlink()
            with contextlib.suppress(OSError):  # something of the instructor's own lies beside it
                results.parent.rmdir()

"""The pages for teachers say what is true: commands, options, mistakes, exercises, links and times."""

import re
from pathlib import Path

import pytest
import yaml

from course_lib import cli, paths
from course_lib.exercises.registry import load_lesson
from course_lib.grading.weights import read_weights

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "kill_matrix.md")
GUIDE = (ROOT / "docs" / "instructors.md").read_text(encoding="utf-8")
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@every_page
def test_links_lead_to_files_that_exist(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@every_page
def test_commands_exist(page, capsys):
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    typed = re.findall(r"`(course [^`\n]+)`", text) + re.findall(r"^(course [^#\n]+)", blocks, re.MULTILINE)
    for command in typed:
        try:
            cli._parse(command.split()[1:])
        except SystemExit:  # in running text, arguments may be left out, but no command and no option may be wrong
            assert "the following arguments are required" in capsys.readouterr().err, command


@every_page
def test_make_targets_exist(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


def test_the_stumbles_are_known_mistakes_of_their_lessons():
    lessons = {lesson.number: lesson for lesson in paths.lessons()}
    rows = re.findall(r"^\| (\d\d) \| .*\(`(\w+)`\) \|", GUIDE, re.MULTILINE)
    assert len(rows) >= 14
    for number, mistake in rows:
        exercises = load_lesson(lessons[int(number)].name).exercises.values()
        assert mistake in [each for exercise in exercises for each in exercise.mistakes], mistake


def test_the_weights_that_are_shown_can_be_read(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "weights.toml").write_text(example, encoding="utf-8")
    weights = read_weights(tmp_path / "weights.toml")
    assert weights.worth("backward_rule") == 3 and weights.shortcut == 0.5


def test_each_syllabus_begins_with_what_all_lessons_need_and_names_no_lesson_that_is_not_there():
    table = GUIDE.partition("## Three syllabuses")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in table.splitlines() if re.match(r"\| \d", line)]
    rows = [[cell.strip() for cell in line] for line in lines]
    assert [int(row[0]) for row in rows] == list(range(1, 15))
    there = {lesson.number for lesson in paths.lessons()} | {15, 16}
    for number, weeks in ((1, 4), (2, 8), (3, 14)):
        cells = [row[number] for row in rows]
        named = [int(found) for cell in cells for found in re.findall(r"\b(\d\d)\b", cell)]
        assert all(cells[:weeks]) and not any(cells[weeks:])
        assert named[0] == 1 and {1, 2, 3} <= set(named) <= there


def test_the_hubs_values_are_yaml():
    page = (ROOT / "docs" / "jupyterhub.md").read_text(encoding="utf-8")
    (values,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    values = yaml.safe_load(values)
    (gpu,) = [each for each in values["singleuser"]["profileList"] if each["display_name"] == "GPU"]
    assert gpu["kubespawner_override"]["extra_resource_limits"] == {"nvidia.com/gpu": "1"}
    assert {"COURSE_WORKBOOK", "COURSE_STATE", "COURSE_DATA"} <= set(values["singleuser"]["extraEnv"])

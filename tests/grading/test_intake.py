"""Who handed in what: folders, and archives as Canvas, Moodle and GitHub Classroom make them."""

import tarfile
import zipfile

import pytest

from course_lib.errors import CourseError
from course_lib.grading.intake import MAX_FILE, Unreadable, find_submissions

NAME = "02_backprop.ipynb"


def zipped(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def seen(*paths):
    return {
        (each.student, each.identifier): [source.name for source in each.sources] for each in find_submissions([*paths])
    }


def test_canvas_names_student_and_id_in_front_of_each_file(tmp_path):
    names = [f"doejane_4711_90001_{NAME}", f"roe_LATE_4712_90002_{NAME}", "doejane_4711_90003_notes.py"]
    found = seen(zipped(tmp_path / "submissions.zip", *names))
    assert found == {("doejane", "4711"): [NAME, "notes.py"], ("roe", "4712"): [NAME]}


def test_moodle_gives_each_student_a_folder(tmp_path):
    names = [f"Jane Doe_12_assignsubmission_file/{NAME}", f"Ann-Lee O'Neil_13_assignsubmission_file/{NAME}"]
    assert seen(zipped(tmp_path / "m.zip", *names)) == {("Jane Doe", "12"): [NAME], ("Ann-Lee O'Neil", "13"): [NAME]}


def test_one_student_of_moodle_is_still_a_student(tmp_path):
    assert seen(zipped(tmp_path / "m.zip", f"Jane Doe_12_assignsubmission_file/{NAME}")) == {("Jane Doe", "12"): [NAME]}


def test_github_classroom_writes_the_assignment_in_front_of_each_name(tmp_path):
    names = [f"hw-1-submissions/hw-1-{name}/notebooks/{NAME}" for name in ("ann", "bob-b", "cleo")]
    found = seen(zipped(tmp_path / "g.zip", *names, "hw-1-submissions/hw-1-ann/.git/x.py"))
    assert found == {("ann", ""): [NAME], ("bob-b", ""): [NAME], ("cleo", ""): [NAME]}


def test_one_folder_around_all_is_no_student_but_the_only_students_folder_is(tmp_path):
    assert seen(zipped(tmp_path / "a.zip", "class/ann.ipynb", "class/bob.ipynb")).keys() == {("ann", ""), ("bob", "")}
    assert seen(zipped(tmp_path / "b.zip", f"ann/{NAME}")) == {("ann", ""): [NAME]}


def test_a_folder_of_folders_and_of_loose_notebooks(tmp_path):
    for name in (f"ann/{NAME}", f"bob/{NAME}", "cleo.ipynb", "ann/.ipynb_checkpoints/x.ipynb", "bob/readme.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert seen(tmp_path) == {("ann", ""): [NAME], ("bob", ""): [NAME], ("cleo", ""): ["cleo.ipynb"]}


def test_a_folder_with_lessons_side_by_side_is_one_students(tmp_path):
    for name in (NAME, "03_training.ipynb"):
        (tmp_path / name).write_text("x")
    assert seen(tmp_path) == {(tmp_path.name, ""): [NAME, "03_training.ipynb"]}


def test_single_notebooks_are_students_by_their_names(tmp_path):
    paths = [tmp_path / "ann.ipynb", tmp_path / "bob.ipynb"]
    for path in paths:
        path.write_text("x")
    assert seen(*paths) == {("ann", ""): ["ann.ipynb"], ("bob", ""): ["bob.ipynb"]}


@pytest.mark.parametrize(
    ("file", "who"),
    [
        ("rita_right_15_compression.ipynb", "rita_right"),
        ("Rita Right - 02 backprop.ipynb", "Rita Right"),
        ("rita-right-02_backprop.ipynb", "rita-right"),
        ("rita_backprop-final.ipynb", "rita final"),
        ("02_backprop_rita.ipynb", "rita"),
        ("01_software_2.rita.py", "rita"),
        ("Soundgarden.ipynb", "Soundgarden"),
        ("ann_2_15_compression.ipynb", "ann_2"),
        ("ann.ipynb", "ann"),
    ],
)
def test_a_loose_files_owner_is_what_its_name_says_beside_the_lesson(tmp_path, file, who):
    found = seen(zipped(tmp_path / "flat.zip", file, "zoe.ipynb"))
    assert found == {(who, ""): [file], ("zoe", ""): ["zoe.ipynb"]}


def test_loose_files_of_several_lessons_are_one_students(tmp_path):
    names = ["rita_02_backprop.ipynb", "rita_03_training.ipynb", "bob_02_backprop.ipynb"]
    assert seen(zipped(tmp_path / "flat.zip", *names)) == {("rita", ""): names[:2], ("bob", ""): names[2:]}


def test_two_files_that_would_be_the_same_answer_stay_apart(tmp_path):
    names = ["rita_02_backprop.ipynb", "Rita-02_backprop.ipynb", "rita_03_training.ipynb", "bob_02_backprop.ipynb"]
    apart = {(name.removesuffix(".ipynb"), ""): [name] for name in names[:3]}
    assert seen(zipped(tmp_path / "flat.zip", *names)) == {**apart, ("bob", ""): names[3:]}


def test_a_folder_in_which_everybody_writes_the_lesson_first(tmp_path):
    for name in ("02_backprop_ann.ipynb", "02_backprop_bob.ipynb"):
        (tmp_path / name).write_text("x")
    assert seen(tmp_path).keys() == {("ann", ""), ("bob", "")}


def test_moodle_without_folders_writes_all_into_the_name(tmp_path):
    names = [f"Jane Doe_12_assignsubmission_file_{NAME}", f"Ann-Lee O'Neil_13_assignsubmission_file_{NAME}"]
    assert seen(zipped(tmp_path / "m.zip", *names)) == {("Jane Doe", "12"): [NAME], ("Ann-Lee O'Neil", "13"): [NAME]}


def test_single_notebooks_with_the_lessons_own_name_are_their_folders(tmp_path):
    paths = [tmp_path / "ann" / NAME, tmp_path / "bob" / NAME]
    for path in paths:
        path.parent.mkdir()
        path.write_text("x")
    assert seen(*paths) == {("ann", ""): [NAME], ("bob", ""): [NAME]}


def test_a_tar_archive_is_read_and_its_links_are_not_followed(tmp_path):
    (tmp_path / NAME).write_text("mine")
    with tarfile.open(tmp_path / "class.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / NAME, f"ann/{NAME}")
        link = tarfile.TarInfo(f"bob/{NAME}")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    ann, bob = find_submissions([tmp_path / "class.tar.gz"])
    assert ann.sources[0].read() == b"mine"
    with pytest.raises(Unreadable, match="no plain file"):
        bob.sources[0].read()


def test_an_archive_that_a_student_sent_is_looked_into(tmp_path):
    zipped(tmp_path / "inner.zip", f"work/{NAME}")
    (tmp_path / "class" / "ann").mkdir(parents=True)
    (tmp_path / "inner.zip").rename(tmp_path / "class/ann/work.zip")
    (tmp_path / "class" / "bob").mkdir()
    (tmp_path / "class/bob" / NAME).write_text("x")
    assert seen(tmp_path / "class") == {("ann", ""): [NAME], ("bob", ""): [NAME]}


def test_what_is_not_there_or_holds_nothing_is_said_so(tmp_path):
    with pytest.raises(CourseError, match="There is no"):
        find_submissions([tmp_path / "nowhere"])
    with pytest.raises(CourseError, match="nothing to grade"):
        find_submissions([tmp_path])
    (tmp_path / "class.zip").write_text("no archive")
    with pytest.raises(CourseError, match="no readable zip"):
        find_submissions([tmp_path / "class.zip"])


def test_a_notebook_that_is_too_large_is_called_so_in_an_archive_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "big.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"ann/{NAME}", b" " * (MAX_FILE + 1))
    with pytest.raises(Unreadable, match="larger than 20 MB: clear its outputs"):
        find_submissions([tmp_path / "big.zip"])[0].sources[0].read()

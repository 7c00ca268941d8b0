"""LibriSpeech, a small part: people read from public-domain books; train-clean-5 to train, dev-clean to test.

License: CC BY 4.0.
Citation: Panayotov, Chen, Povey & Khudanpur 2015, LibriSpeech: an ASR corpus based on public domain audio books,
doi:10.1109/ICASSP.2015.7178964

Hashes: dev-clean as torchaudio 2.11 knows it, train-clean-5 (5 of the 100 hours of train-clean-100) from OpenSLR's own
md5sum.txt. A folder given by --from may hold train-clean-100 instead, which takes about 25 GB of memory. Nobody reads
in two splits: "validation" is a part of the training speakers, set apart.
"""

from pathlib import Path

from course_lib.errors import CourseError
from course_lib.recordings import Recordings, record
from data_scripts.fetch import KnownFile
from data_scripts.sounds import find, read_all, split_speakers, unpacked

HOMES = ["https://www.openslr.org/resources", "https://openslr.trmal.net/resources"]
MIRRORS = [f"{home}/{number}/" for home in HOMES for number in (12, 31)]  # dev-clean is in 12, train-clean-5 in 31
TEST = KnownFile("dev-clean.tar.gz", "sha256:76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3")
TRAIN = KnownFile("train-clean-5.tar.gz", "md5:5df7d4e78065366204ca6845bb08f490")
TEST_PART, TRAINING_PARTS = "dev-clean", ("train-clean-100", "train-clean-5")
LONGEST = 40.0  # seconds


def read(source: Path | None, workspace: Path) -> dict[str, Recordings]:
    """The recordings; "train" and "validation" from the training part, "test" from dev-clean.

    Args:
        source: one archive or a folder with both, or with `dev-clean` and `train-clean-5` (or `-100`) unpacked; None
            downloads them.
        workspace: a folder for what is downloaded or unpacked.

    Raises:
        CourseError: one of the two parts is not there, or a recording has no text.
    """
    folder = unpacked(source, [TEST, TRAIN], mirrors=MIRRORS, workspace=workspace)
    parts = {path.name: path for path in sorted(folder.rglob("*clean*")) if path.is_dir()}
    training = next((name for name in TRAINING_PARTS if name in parts), None)
    if training is None or TEST_PART not in parts:
        wanted = f"{TEST_PART} and {' or '.join(TRAINING_PARTS)}"
        raise CourseError(f"{folder} holds {', '.join(parts) or 'no part of LibriSpeech'}, but {wanted} are needed.")
    files = find(parts[training], "*.flac", _parse, what="files like 84/121123/84-121123-0000.flac")
    people = split_speakers([speaker for (speaker,) in files.values()])
    validation = people["validation"] | people["test"]  # the test set is another part
    splits = {
        name: [path for path in files if (files[path][0] in validation) == held]
        for name, held in (("train", False), ("validation", True))
    }
    splits["test"] = list(find(parts[TEST_PART], "*.flac", _parse, what="files like 84/121123/84-121123-0000.flac"))
    return {name: _split(paths) for name, paths in splits.items()}


def _parse(path: Path) -> tuple[str] | None:
    """The speaker."""
    return (path.name.partition("-")[0],) if path.stem.count("-") == 2 else None


def _split(paths: list[Path]) -> Recordings:
    texts: dict[str, str] = {}
    for chapter in sorted({path.parent for path in paths}):
        for file in chapter.glob("*.trans.txt"):
            lines = file.read_text(encoding="utf-8").splitlines()
            texts.update((name, text.lower()) for name, _, text in (line.partition(" ") for line in lines))
    silent = [path.name for path in paths if path.stem not in texts]
    if silent:
        raise CourseError(f"{silent[0]} has no text: its chapter's file *.trans.txt lacks it. Get the archive again.")
    clips = read_all(paths, max_seconds=LONGEST)
    return record(clips, texts=[texts[path.stem] for path in paths], speakers=[_parse(path)[0] for path in paths])

"""What broke without a change of ours? Once a week by .github/workflows/canary.yml, or by hand.

    make canary                     everything; 6 GB of newest versions go into .venv-canary
    make canary ARGS="--quick"      without new versions: a minute

1. The set-up cell of every notebook runs twice, with the network cut: in a clone there is nothing to do.
2. No code calls what its library has deprecated or removed.
3. The numbers that a lesson's prose quotes stand in an output above it.
4. Links and addresses of data answer, where there is a network.
5. The newest versions that pyproject.toml allows are installed, and the quick tests run with them.
"""

import argparse
import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import requests

from course_lib import paths
from course_lib.authoring.outputs import texts_of

ROOT = paths.checkout()
SOURCES = ("course_lib", "lessons", "solutions", "scripts", "data_scripts", "benchmarks", "tests")
GONE = {  # what our libraries have deprecated or removed, and what to write instead
    "torch.jit": "torch.export, or the dynamo ONNX exporter",
    "torch.ao.quantization": "torchao, or ONNX Runtime's quantization",
    "torch.quantization": "torchao, or ONNX Runtime's quantization",
    "torch.cuda.amp": "torch.amp",
    "torch.nn.utils.weight_norm": "torch.nn.utils.parametrizations.weight_norm",
    "torchaudio.load": "soundfile",
    "torchaudio.save": "soundfile",
    "torchaudio.info": "soundfile",
    "torchaudio.backend": "soundfile",
    "torchaudio.pipelines": "weights of one's own: torchaudio ends with 2.11",
    "pkg_resources": "importlib.metadata",
    "distutils": "the standard library has no successor; packaging has one",
    "imp": "importlib",
    "asyncio.get_event_loop": "asyncio.get_running_loop or asyncio.run",
    "datetime.datetime.utcnow": "datetime.now(UTC)",
    "matplotlib.cm.get_cmap": "matplotlib.colormaps[name]",
    "numpy.product": "numpy.prod",
    "numpy.in1d": "numpy.isin",
    "numpy.trapz": "numpy.trapezoid",
    "sklearn.metrics.plot_confusion_matrix": "ConfusionMatrixDisplay",
    "ray.serve.start.http_port": "http_options",
}
OFFLINE = """\
import json, socket, subprocess, sys
def refuse(*arguments, **options):
    raise SystemExit("it wanted out")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
subprocess.Popen.__init__ = refuse
cell = json.load(sys.stdin)
exec(cell, {})
exec(cell, {})
"""
QUICK = "not slow and not browser and not network and not gpu and not realdata and not scale"
NOT_PRINTED = {  # numbers that prose may quote although no output shows them, and why
    "02_backprop": {"6.0": "2.0 * 3.0", "0.640": "1.640 - 1", "1000.3": "log(e^1000 + e^999)"},
    "03_training": {"2.80": "stands in the figure above", "1.14": "stands in the figure above"},
    "05_image_classification": {"91": "0.9 + 0.1 / 10"},
    "11_transfer_learning": {"88.8": "of somebody else, who is named"},
}
WELL_KNOWN = ("https://github.com", "https://arxiv.org")
NOT_LINKS = ("OWNER", "example.", "127.0.0.1", "localhost", "{", "}", "$", "FIRST", "registry.")


def main() -> int:
    parser = argparse.ArgumentParser(description="What broke without a change of ours?")
    parser.add_argument("--quick", action="store_true", help="install nothing")
    options = parser.parse_args()
    steps = {
        "set-up cells, twice, with no network": set_up_cells_offline,
        "calls of what is deprecated or removed": calls_of_what_is_gone,
        "numbers in prose that no output shows": numbers_without_output,
        "links that do not answer": dead_links,
    }
    if not options.quick:
        steps["the newest versions"] = newest_versions
    failed = 0
    for what, look in steps.items():
        found = list(look())
        print(f"{'FAILED' if found else 'ok    '} {what}" + "".join(f"\n       {each}" for each in found), flush=True)
        failed += bool(found)
    print("\nAll is well." if not failed else f"\nfailed: {failed} of {len(steps)}")
    return 1 if failed else 0


def set_up_cells_offline() -> Iterator[str]:
    """In a clone without a network, a set-up cell must do nothing, twice."""
    for lesson in paths.lessons():
        cell = next(cell for cell in read(lesson.notebook).cells if cell.cell_type == "code").source
        done = subprocess.run(
            [sys.executable, "-c", OFFLINE],
            input=json.dumps(cell),
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=300,
        )
        if done.returncode or done.stdout:
            yield f"{lesson.stem}: {(done.stderr or done.stdout).strip().splitlines()[-1]}"


def calls_of_what_is_gone(folders: tuple[str, ...] = SOURCES) -> Iterator[str]:
    """Names in the code that stand on the list."""
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for line, name in gone_in(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(ROOT)}:{line}: {name}; instead: {GONE[name]}"


def gone_in(source: str) -> Iterator[tuple[int, str]]:
    """Each use of a name that is gone, as (line, name): imported, or reached through its module."""
    tree = ast.parse(source)
    short = {"np": "numpy", "plt": "matplotlib.pyplot", "nn": "torch.nn", "F": "torch.nn.functional"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            used = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            used = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            used = [f"{short.get(first, first)}.{rest}"]
        else:
            continue
        for name in GONE:
            if any(each == name or each.startswith(f"{name}.") for each in used):
                yield node.lineno, name


def numbers_without_output() -> Iterator[str]:
    """Numbers with a decimal point or a percent sign that a lesson's prose reads, and that nothing above it printed."""
    for lesson in paths.lessons():
        said: list[float] = []
        for cell in read(lesson.notebook).cells:
            if cell.cell_type == "code":
                said += [float(found) for text in (*texts_of(cell), cell.source) for found in numbers(text)]
            else:
                for quoted, text in measured(cell.source):
                    is_known = quoted in NOT_PRINTED.get(lesson.stem, {})
                    if not is_known and not any(agrees(quoted, each) for each in said):
                        yield f'{lesson.stem}: {quoted} in "…{text}…"'


def numbers(text: str) -> list[str]:
    return [found.replace(",", "") for found in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?", text)]


def measured(prose: str) -> Iterator[tuple[str, str]]:
    """The numbers of a prose cell that were measured, each with the words around it; a question asks for a guess."""
    prose = re.sub(r"\*\*Predict\.\*\*.*?(?=\n\n|\Z)", " ", prose, flags=re.S)
    prose = re.sub(
        r"<details>.*?</details>|\$\$.*?\$\$|\$[^$]*\$|```.*?```|`[^`]*`|\]\([^)]*\)|<[^>]+>", " ", prose, flags=re.S
    )
    for found in re.finditer(r"(?<![\w./:-])(\d+\.\d+|\d+(?= ?%))(?![\w/]|\.\d)", prose):
        around = " ".join(prose[max(0, found.start() - 40) : found.end() + 25].split())
        yield found[1], around


def agrees(quoted: str, output: float) -> bool:
    """Whether an output, as it is or in percent, is the quoted number to its last digit."""
    half = 0.5 * 10 ** -len(quoted.partition(".")[2]) * (1 + 1e-9)
    return any(abs(float(quoted) - scale * output) <= half for scale in (1, 100, 0.01, 1000, 0.001))


def dead_links() -> Iterator[str]:
    """Addresses in pages, lessons and the catalog that answer "not found", or not at all."""
    if all(trouble_with(address) for address in WELL_KNOWN):
        print("       no network here: links were NOT checked")
        return
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "lessons").glob("*.py")]
    texts += [*(ROOT / "data_scripts").glob("*.py"), ROOT / "course_lib" / "catalog.py"]
    found = {
        link for path in texts for link in re.findall(r"https?://[^\s\"'`)>\]|]+", path.read_text(encoding="utf-8"))
    }
    links = sorted({link.rstrip(".,;:") for link in found if not any(part in link for part in NOT_LINKS)})
    with ThreadPoolExecutor(8) as pool:
        for link, trouble in zip(links, pool.map(trouble_with, links), strict=True):
            if trouble:
                yield f"{link}: {trouble}"


def trouble_with(link: str) -> str:
    try:
        answer = requests.get(link, timeout=30, stream=True, headers={"User-Agent": "course-canary"})
    except requests.RequestException as error:
        return type(error).__name__
    return str(answer.status_code) if answer.status_code in (404, 410) else ""  # others may just dislike robots


def newest_versions() -> Iterator[str]:
    """Install the newest of everything that is allowed, and run the quick tests with it."""
    folder = ROOT / ".venv-canary"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(next(each for each in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if each.exists()))
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
    done = subprocess.run(
        [*install, "--editable", f"{ROOT}[lab,speech,deploy,test,author]"], capture_output=True, text=True
    )
    if done.returncode:
        yield f"they don't install together: {done.stderr.strip()[-500:]}"
        return
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    held = re.findall(r"^(?:torch|torchvision|torchaudio|numpy|ipython|jupyterlab|pytest)==.*$", listed.stdout, re.M)
    print(f"       {', '.join(held)}", flush=True)
    marks = QUICK
    if subprocess.run([python, "-c", "import torchaudio"], capture_output=True).returncode:
        print("       torchaudio does not load beside this torch: comparisons with it are left out", flush=True)
        marks = f"{QUICK} and not torchaudio"
    tests = subprocess.run([python, "-m", "pytest", "-p", "no:nbval", "-n", "2", "-q", "-m", marks], cwd=ROOT)
    if tests.returncode:
        yield "the quick tests fail with the newest versions: see above"


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


if __name__ == "__main__":
    sys.exit(main())

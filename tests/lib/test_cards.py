"""Cards: they say the same in HTML and in text, to eyes and to screen readers, and nothing in them is executed."""

import re
from dataclasses import replace

import pytest
import torch.nn.functional as F
from bs4 import BeautifulSoup

from course_lib import paths
from course_lib.exercises import cards
from course_lib.exercises.cards import card_html, card_text, details, diagnosis_lines, headline
from course_lib.exercises.registry import load_lesson
from course_lib.exercises.verdict import Verdict, examine


def right(logits, *, dim=-1):
    powers = (logits - logits.amax(dim, keepdim=True)).exp()
    return powers / powers.sum(dim, keepdim=True)


def shortcut(logits, *, dim=-1):
    return F.softmax(logits, dim)


def wrong(logits, *, dim=-1):
    return F.softmax(logits, 0)


def perhaps(logits, *, dim=-1):
    return F.softmax(logits, 0 if logits.ndim == 2 and len(logits) == 3 else dim)


def loud(logits, *, dim=-1):
    print("<script>alert('printed')</script>")
    raise ValueError("<script>alert('raised')</script> & more")


def endless(logits, *, dim=-1):
    while True:
        pass


def renamed(x, *, dim=-1):
    return x


ANSWERS = [right, shortcut, wrong, perhaps, loud, endless, renamed]


@pytest.fixture
def card_of(known):
    """The verdict on one of the answers above, as a card shows it."""

    def of(answer) -> Verdict:
        if answer is None:
            return Verdict("softmax", "unwritten", unwritten=["softmax"])
        verdict = examine(known("softmax"), answer, seconds=0.2)
        verdict.seconds = 0.01
        return verdict

    return of


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def spoken(html: str) -> str:
    """What a screen reader finds: everything but what is hidden from it."""
    page = BeautifulSoup(html, "html.parser")
    for hidden in page.find_all(attrs={"aria-hidden": "true"}):
        hidden.decompose()
    return page.get_text(" ")


@pytest.mark.parametrize("answer", [*ANSWERS, None])
def test_the_html_and_the_text_say_the_same(card_of, answer):
    verdict = card_of(answer)
    html, text = words(spoken(card_html(verdict))), words(card_text(verdict))
    assert text <= html
    assert html - text <= {"passed", "failed"}  # a check mark in the text


@pytest.mark.parametrize("answer", [*ANSWERS, None])
def test_a_wrong_answer_is_announced_at_once_and_the_others_politely(card_of, answer):
    verdict = card_of(answer)
    card = BeautifulSoup(card_html(verdict), "html.parser").find(class_="course-card")
    assert card["role"] == ("alert" if verdict.state == "wrong" else "status")


def test_nothing_that_an_answer_prints_or_raises_becomes_html(card_of):
    html = card_html(card_of(loud))
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#x27;raised&#x27;)&lt;/script&gt; &amp; more" in html
    assert "alert('printed')" in BeautifulSoup(html, "html.parser").get_text()


def test_hints_of_the_author_are_escaped_too(card_of):
    verdict = card_of(wrong)
    verdict.diagnoses[0] = replace(verdict.diagnoses[0], hint="Use i < j & k.")
    assert "Use i &lt; j &amp; k." in card_html(verdict)


RAW = re.compile(r"(?<![\w*])\*+\w[^*`]*\*|(?<!\w)__?[a-z][^_`]*[a-z]__?(?!\w)|\]\(|(?<!\w)\$\w[^$]*\$|^#+ ")


@pytest.mark.parametrize(
    "text", ["take the *first* one", "**never**", "see [this](https://x.org)", "_so_", "$x^2$", "# so"]
)
def test_markdown_that_a_card_does_not_know_is_found(text):
    assert RAW.search(text)


def test_products_and_names_are_no_markdown():
    assert not RAW.search("2 * 3 * 4, a_snake_case_name, *args and 5 $")


@pytest.mark.parametrize("lesson", [lesson.name for lesson in paths.lessons()])
def test_hints_and_demands_hold_no_markdown_but_code(lesson):
    exercises = load_lesson(lesson).exercises.values()
    texts = [mistake.hint for exercise in exercises for mistake in exercise.mistakes.values()]
    texts += [check.demand for exercise in exercises for check in exercise.checks]
    assert [text for text in texts if RAW.search(re.sub(r"`[^`\n]+`", "", text))] == []


@pytest.mark.parametrize("answer", [*ANSWERS, None])
def test_every_tag_that_is_opened_is_closed(card_of, answer):
    html = card_html(card_of(answer))
    for tag in ("div", "p", "ul", "li", "span", "code"):
        assert len(re.findall(rf"<{tag}[ >]", html)) == html.count(f"</{tag}>")


def luminance(color: str) -> float:
    """Relative luminance of `#rrggbb`, as WCAG 2 defines it."""
    color = color if len(color) == 7 else "#" + "".join(2 * digit for digit in color[1:])
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted([luminance(first), luminance(second)], reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_the_standard_says():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("answer", [*ANSWERS, None])
def test_every_color_on_its_background_can_be_read(card_of, answer):
    page = BeautifulSoup(card_html(card_of(answer)), "html.parser")
    colored = [tag for tag in page.find_all(style=True) if re.search(r"(?<![-\w])color:#", tag["style"])]
    assert colored
    for tag in colored:
        color = re.search(r"(?<![-\w])color:(#\w+)", tag["style"])[1]
        behind = next(t for t in [tag, *tag.parents] if "background:" in t.get("style", ""))
        background = re.search(r"background:(#\w+)", behind["style"])[1]
        assert contrast(color, background) >= 4.5, f"{color} on {background}"


def test_all_states_have_looks_that_can_be_read():
    for accent, background in cards.LOOKS.values():
        assert contrast(accent, background) >= 4.5 and contrast(cards.INK, background) >= 7


def test_the_headline_says_the_verdict(card_of):
    assert headline(card_of(right)) == "softmax is right: 4 of 4 checks in 0.01 s."
    assert headline(card_of(shortcut)).startswith("softmax is right, but it calls torch.")
    assert headline(card_of(wrong)) == "softmax is not right yet: 3 of 4 checks not passed."
    assert headline(card_of(renamed)) == "softmax could not be checked."
    assert headline(card_of(None)).startswith("softmax is still unwritten. The reference stands in")
    half = Verdict("RunningMean", "unwritten", unwritten=["update"])
    assert headline(half).startswith("RunningMean is still unwritten (update).")


def test_a_certain_hint_comes_first_and_an_uncertain_one_says_perhaps(card_of):
    hint = "You always sum over the first axis. Sum over `dim`."
    assert diagnosis_lines(card_of(wrong)) == [hint]
    assert card_text(card_of(wrong)).splitlines()[1] == f"  → {hint}"
    assert all(line.startswith("Perhaps: ") for line in diagnosis_lines(card_of(perhaps)))


def test_the_first_failed_check_is_shown_in_full_and_the_others_by_name(card_of):
    text = card_text(card_of(wrong))
    assert text.count("called: ") == text.count("seen: ") == 1
    assert text.index("✗ Each row adds up to one") < text.index("seen: ") < text.index("✗ Any axis")


def test_checks_that_were_not_reached_say_so(card_of):
    text = card_text(card_of(endless))
    assert "did not end within 0.2 seconds" in text and text.count("(not reached)") == 3
    assert "not reached:" in card_html(card_of(endless))


def test_a_changed_first_line_is_explained_and_no_check_is_listed(card_of):
    text = card_text(card_of(renamed))
    assert "→ Your softmax(x, *, dim=-1) lacks logits." in text and "Each row" not in text


def test_a_wrong_answer_comes_with_a_way_on_and_a_right_one_without(card_of):
    assert 'borrow("softmax")' in card_text(card_of(wrong))
    assert "borrow" not in card_text(card_of(right)) + card_text(card_of(None))
    assert "try it without" in card_text(card_of(shortcut)) and "try it without" not in card_text(card_of(right))


def test_lines_of_the_text_are_not_too_long_for_a_terminal(card_of):
    for answer in (right, wrong, loud, renamed):
        assert max(map(len, card_text(card_of(answer)).splitlines())) <= 120


def test_what_a_check_saw_is_told_without_empty_parts(card_of):
    labels = [label for label, _ in details(card_of(wrong).outcomes[0])]
    assert labels == ["called", "seen"]
    assert [label for label, _ in details(card_of(loud).outcomes[0])] == ["called", "seen", "printed"]


def test_a_card_of_an_answer_with_gigantic_words_stays_readable(card_of):
    def huge(logits, *, dim=-1):
        print("x" * 10**6)
        raise ValueError("y" * 10**6)

    assert len(card_html(card_of(huge))) < 10_000

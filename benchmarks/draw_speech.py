"""The section of RESULTS.md that shows `benchmarks/results/speech.json`."""

from collections.abc import Callable
from textwrap import fill
from typing import Any

Figures = dict[str, Any]
Ranged = Callable[..., str]
Table = Callable[[list[str], list[list[str]]], list[str]]

TITLE = "Speech: generated voices and real people"
ABOUT = (
    "Generated voices are split by voice, real people by recording or by speaker, as each line says. Everything was "
    "chosen on validation voices, speakers or clips; the test was asked once per seed. For the speaker left out of "
    "FSDD the choice is nested: it never hears or asks that speaker."
)
ERRORS = (  # what, figure, at most so many percent
    ("letters, greedy", "cer", 5),
    ("words, greedy", "wer_greedy", 11),
    ("words, with the language model", "wer_lm", 6),
    ("the same, sentences that nobody said in training", "wer_lm_new_sentences", None),
    ("letters, streaming network, one direction only", "streaming_cer", None),
    ("letters, noise-trained network, no noise", "cer_clean", None),
    ("the same, noise 20 dB below the voice", "cer_20db", None),
    ("the same, 10 dB", "cer_10db", None),
    ("the same, 5 dB (white, pink, babble: mean)", "cer_5db", 7),
    ("the same, 5 dB, white noise", "cer_5db_white", None),
    ("the same, 5 dB, pink noise", "cer_5db_pink", None),
    ("the same, 5 dB, babble of other voices", "cer_5db_babble", None),
)
ACCURACIES = (  # what, figure, at least so many percent
    ("FSDD, the official split", "fsdd_standard", 98),
    ("FSDD, each speaker left out once", "fsdd_leave_one_out", 85),
    ("the same, one net instead of three that vote", "fsdd_leave_one_out_one_net", None),
    ("the same, learned from FSDD alone", "fsdd_leave_one_out_alone", None),
    ("the same without augmentation", "fsdd_leave_one_out_plain", None),
    ("Speech Commands, 12 classes, split by speaker", "commands_speaker_split", 85),
    ("who speaks, FSDD, digits heard in training", "speaker_id", None),
    ("who speaks, FSDD, digits never heard in training", "speaker_id_unseen_digits", None),
)
COUNTS = (0, 1, 5, 20)
MIXED = ("synthetic_only_on_fsdd", *(f"synthetic_and_{count}_on_fsdd" for count in COUNTS[1:]))


def speech(figures: Figures, *, table: Table, ranged: Ranged) -> list[str]:
    """Tables of error rates, of accuracies, of the way from generated to real voices, and of the voices.

    Args:
        figures: what `benchmarks.speech` wrote.
        table: makes a table from its head and its rows.
        ranged: shows a figure with its range.
    """

    def percent(name: str) -> str:
        return ranged(figures, name, percent=True) if name in figures else "not measured yet"

    errors = [[what, percent(name), target(figures, name, most=most)] for what, name, most in ERRORS]
    accuracies = [[what, percent(name), target(figures, name, least=least)] for what, name, least in ACCURACIES]
    curve = [
        [str(count), percent(mixed), percent(f"only_{count}_on_fsdd") if count else "–"]
        for count, mixed in zip(COUNTS, MIXED, strict=True)
    ]
    voices = [
        [voice, *(f"{100 * rates[name]:.1f}" for name in ("cer", "wer_greedy", "wer_lm"))]
        for voice, rates in figures.get("by_voice", {}).items()
    ]
    return [
        *table(["errors on generated voices never heard in training", "%", "target"], errors),
        "",
        *table(["right answers on real people's words", "%", "target"], accuracies),
        "",
        *left_out(figures, table=table, ranged=ranged),
        "From generated voices to real people: right answers on FSDD's test clips.",
        "",
        *table(["real clips per digit in training", "beside generated voices, %", "alone, %"], curve),
        "",
        *(each for sentence in said(figures, ranged) for each in (fill(sentence, 120), "")),
        *table(["voice (generated, test)", "letters wrong, %", "words wrong, %", "with language, %"], voices),
    ]


def target(figures: Figures, name: str, *, most: float | None = None, least: float | None = None) -> str:
    """Whether a share reached what was demanded, in percent."""
    goal, sign = (most, "≤") if least is None else (least, "≥")
    if goal is None or name not in figures:
        return "–"
    value = 100 * figures[name]
    reached = value <= goal if least is None else value >= goal
    return f"{sign} {goal:g}: " + ("reached" if reached else "**not reached**")


def left_out(figures: Figures, *, table: Table, ranged: Ranged) -> list[str]:
    """The table of FSDD's speakers, each left out, if there is one."""
    people = [
        name.removeprefix("fsdd_without_").removesuffix("_plan")
        for name in figures
        if name.startswith("fsdd_without_") and name.endswith("_plan")
    ]
    rows = [
        [person, figures[f"fsdd_without_{person}_plan"]]
        + [ranged(figures, f"fsdd_without_{person}{end}", percent=True) for end in ("", "_one_net", "_alone", "_plain")]
        for person in people
    ]
    head = [
        "FSDD speaker left out",
        "plan that the others chose",
        "with it, %",
        "one net, %",
        "FSDD alone, %",
        "plain, %",
    ]
    return [*table(head, rows), ""] if rows else []


def said(figures: Figures, ranged: Ranged) -> list[str]:
    """Sentences about the data and about time; those that can be said."""
    sentences = []
    if "fsdd_leave_one_out_speakers" in figures:
        sentences.append(
            f"This copy of FSDD has {figures['fsdd_leave_one_out_speakers']} of six speakers. For the one left out, "
            "four plans were tried: plain, FSDD as it is; disguised, FSDD with other throats, tempos, microphones "
            "and backgrounds; company, the same beside generated voices and the speakers of Speech Commands; jury, "
            "three nets of that kind, which vote."
        )
    if "commands_train_clips" in figures:
        clips = ", ".join(f"{figures[f'commands_{part}_clips']:,} {part}" for part in ("train", "validation", "test"))
        sentences.append(f"This copy of Speech Commands has {clips} clips.")
    if "real_time_factor" in figures:
        sentences.append(
            f"On one thread, the noise-trained network needs {figures['real_time_factor']:.4f} CPU seconds for each "
            f"second of sound, one sentence at a time, from waveform to letters. The streaming network gets "
            f"{figures['streaming_piece_ms']:.0f} ms at once and computes for {figures['streaming_compute_ms']:.1f} ms "
            f"(95 % of the pieces within {figures['streaming_compute_ms_p95']:.1f}); it writes a word's last letter "
            f"{figures['streaming_word_lag_ms']:.0f} ms after the word has ended (median; 95 % within "
            f"{figures['streaming_word_lag_ms_p95']:.0f}), to which comes the wait for the piece to be full."
        )
    if "recognizer_train_cpu_s" in figures:
        sentences.append(
            f"Training the recognizer takes {ranged(figures, 'recognizer_train_cpu_s', digits=0)} CPU seconds."
        )
    if "lesson_wall_s" in figures:
        sentences.append(
            f"Lesson 09 as a whole: {figures['lesson_wall_s']:.0f} s wall, {figures['lesson_cpu_s']:.0f} CPU seconds, "
            f"load of the machine meanwhile {figures['lesson_load']:.1f}."
        )
    return sentences

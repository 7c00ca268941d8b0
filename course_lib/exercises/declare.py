"""How checks, known mistakes and forbidden shortcuts are declared."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Judge = Callable[[Any, Any], str | None]
Tell = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Check:
    """One demand on an answer, and the scenario that shows whether it is met.

    Attributes:
        demand: what is demanded, in words for the learner.
        scenario: takes the answer, a `Draw`, and references of sibling exercises by name; returns observations.
        judge: None to compare with the reference, else a property of what was observed.
        tell: None if the scenario's own observation is judged, else what makes it of what was asked and answered.
    """

    demand: str
    scenario: Callable[..., Any]
    judge: Judge | None = None
    tell: Tell | None = None

    @property
    def name(self) -> str:
        return self.scenario.__name__

    @property
    def parameters(self) -> list[str]:
        return list(inspect.signature(self.scenario).parameters)

    @property
    def exercise(self) -> str:
        """The exercise is the one that the scenario's first parameter names."""
        return self.parameters[0]


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong answer, and the hint for whoever makes it."""

    name: str
    of: str
    hint: str
    implementation: Any


def check(
    demand: str, *, judge: Judge | None = None, tell: Tell | None = None
) -> Callable[[Callable[..., Any]], Check]:
    """Declare a check: `@check("The kernel slides without flipping")` above `def scenario(conv2d, draw)`.

    Args:
        demand: what is demanded, in words that a learner understands.
        judge: for exercises with many right answers: takes the observed and the expected observation, as plain data,
            and returns None if the observed one is right, else what is wrong with it, in words.
        tell: for observations that are easier to guess than the answer, such as "all is well": the scenario then
            returns a list of pairs, what was asked and what was answered, and `tell(asked, answered)` makes one
            observation of each pair. When a class is graded, it runs where the learner's code does not.
    """

    def register(scenario: Callable[..., Any]) -> Check:
        if len(inspect.signature(scenario).parameters) < 2:
            raise TypeError(f"{scenario.__name__} takes too few parameters: name them as the exercise, then `draw`")
        return Check(demand, scenario, judge, tell)

    return register


def mistake(of: Any, hint: str) -> Callable[[Any], Any]:
    """Declare a known mistake below its reference: `@mistake(of=conv2d, hint="You flipped the kernel. ...")`.

    Args:
        of: the reference, a function or a class.
        hint: what the learner reads; it speaks of the cause, not of the symptom.
    """

    def register(implementation: Any) -> Any:
        implementation.known_mistake = Mistake(implementation.__name__, of.__name__, hint, implementation)
        return implementation

    return register


def built_without(*names: str) -> Callable[[Any], Any]:
    """List what counts as using the library instead of building it: `@built_without("torch.conv2d")` on a reference.

    Args:
        names: dotted names of functions, classes or methods, such as `"torch.Tensor.softmax"`.
    """

    def register(reference: Any) -> Any:
        reference.built_without = names
        return reference

    return register


def raises(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Call the function and observe the kind of its exception, `"nothing"` if there is none."""
    try:
        function(*args, **kwargs)
    except Exception as error:
        return type(error).__name__
    return "nothing"

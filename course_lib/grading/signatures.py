"""An answer's signature as plain data, and a stand-in that is called alike: the trusted side never sees the answer."""

import inspect
from typing import Any

from course_lib.grading.packing import BadAnswer, text

KINDS = {kind.name: kind for kind in inspect._ParameterKind}


def describe_signature(implementation: Any) -> dict[str, Any]:
    """What the trusted side needs to know of an answer in order to say whether it can be called as the stub is."""
    try:
        parameters = [
            [parameter.name, parameter.kind.name, parameter.default is not parameter.empty]
            for parameter in inspect.signature(implementation).parameters.values()
        ]
    except (ValueError, TypeError):
        parameters = None
    kind = "class" if inspect.isclass(implementation) else "function" if callable(implementation) else "value"
    return {"kind": kind, "parameters": parameters}


def stand_in(description: Any) -> Any:
    """A function, class or value with the described signature.

    Raises:
        BadAnswer: it describes none.
    """
    if not isinstance(description, dict) or description.get("kind") not in ("class", "function", "value"):
        raise BadAnswer("the answer's signature is of no known kind")
    if description["kind"] == "value":
        return None
    given = description.get("parameters")
    try:
        signature = inspect.Signature([_parameter(*each) for each in given]) if given is not None else None
    except (TypeError, ValueError, KeyError) as error:
        raise BadAnswer("the answer's signature is of no known kind") from error

    class Answer:
        pass

    def answer() -> None:
        pass

    found = Answer if description["kind"] == "class" else answer
    if signature is not None:
        found.__signature__ = signature
    return found


def _parameter(name: Any, kind: Any, has_default: Any) -> inspect.Parameter:
    default = None if has_default is True else inspect.Parameter.empty
    return inspect.Parameter(text(name, 200), KINDS[kind], default=default)

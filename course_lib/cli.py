"""The `course` command."""


def main() -> int:
    return 0

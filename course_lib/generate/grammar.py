"""What the generated recordings say: strings of digits, commands for a house, and single words."""

import numpy as np

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COMMAND_WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
SINGLE_WORDS = (*DIGIT_WORDS, *COMMAND_WORDS)

SLOTS = {
    "ROOM": ("kitchen", "hall", "bedroom", "bathroom", "garden", "office", "garage", "attic"),
    "DEVICE": ("light", "heater", "fan", "radio", "television", "camera", "alarm", "lamp"),
    "SWITCH": ("on", "off"),
    "NUMBER": ("ten", "twelve", "fifteen", "eighteen", "twenty", "thirty"),
    "MOVE": ("open", "close", "lock", "unlock"),
    "BARRIER": ("door", "window", "gate", "curtain", "shutter"),
    "SOUND": ("music", "jazz", "rock", "piano"),
    "SHADE": ("dim", "brighten"),
    "LAMP": ("light", "lamp"),
    "PERSON": ("mother", "father", "brother", "sister"),
}
SENTENCES = {  # each with its weight: about how many ways there are to fill it in
    "turn SWITCH the ROOM DEVICE": 10,
    "set the ROOM heater to NUMBER degrees": 6,
    "MOVE the ROOM BARRIER": 8,
    "play some SOUND in the ROOM": 4,
    "SHADE the ROOM LAMP": 3,
    "what is the temperature in the ROOM": 2,
    "what is the time": 1,
    "what is the weather": 1,
    "wake me at NUMBER": 2,
    "call my PERSON": 2,
}
COURTESY = "please"  # stands before one command in four
MAX_DIGITS = 6


def command(random: np.random.RandomState) -> str:
    """One sentence of the grammar, such as "turn on the kitchen light"."""
    weights = np.array(list(SENTENCES.values()), dtype=np.float64)
    sentence = list(SENTENCES)[random.choice(len(SENTENCES), p=weights / weights.sum())]
    words = [SLOTS[word][random.randint(len(SLOTS[word]))] if word in SLOTS else word for word in sentence.split()]
    return " ".join([COURTESY, *words] if random.randint(4) == 0 else words)


def digit_string(random: np.random.RandomState) -> str:
    """One to six digits in words, such as "four zero nine"."""
    return " ".join(DIGIT_WORDS[digit] for digit in random.randint(10, size=random.randint(1, MAX_DIGITS + 1)))


def vocabulary() -> set[str]:
    """Every word of the commands: 62."""
    fixed = {word for sentence in SENTENCES for word in sentence.split() if word not in SLOTS}
    return {COURTESY, *fixed, *(word for words in SLOTS.values() for word in words)}

"""For those who write lessons: from text to notebook and back, skeletons, and what a notebook must keep to."""

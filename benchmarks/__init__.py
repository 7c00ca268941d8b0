"""What the course claims about speed and accuracy, measured: python -m benchmarks.NAME."""

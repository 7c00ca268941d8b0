"""Data made by the course itself, so that every lesson runs without a network: once, deterministically, and cached."""

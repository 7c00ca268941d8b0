"""One script per real corpus: fetch, verify, convert. `course data NAME [--from PATH]` runs them."""

"""The trained models behind HTTP and WebSocket: `create_app(models)` gives the app, `course serve` runs it."""

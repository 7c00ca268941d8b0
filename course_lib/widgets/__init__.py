"""Explorers made of ipywidgets, one module each, with a text twin beside every widget."""

"""Faces: command line, API and web. They parse, call a work function and render."""

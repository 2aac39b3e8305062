"""Faces: command line, API and web. They parse, call one work function, render; they decide nothing."""

"""Faces: command line, API and web pages; what people and scripts see of the house.

Words: a *route* answers a request, a *command* answers a line typed, *services* are the calls that
all of them stand on. Rules: parse, call one work function, render; decide nothing; whatever a page
can do, the API and the command line can do; faces do not import each other.
"""

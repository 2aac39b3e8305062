"""The command line: `watchkeeper`, or `wk`.

Rules: exit status 0 success, 1 a check failed, 2 the input is wrong; output for people by default,
``--json`` for scripts; commands import what they need when they run, so the shell prompt is quick.
"""

"""The command line: serve, talk to, draw and look into an application.

Errors that a person can mend are one line on standard error and exit status 1 (2 for wrong usage), never a traceback.
"""

from turnkeeper.cli.main import main

__all__ = ["main"]

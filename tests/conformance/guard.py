"""Sees to it that no process which a test started outlives the test run.

Finalizers alone cannot: a run that is killed, or that a time limit ends, runs none. So beside each process a shell
waits at a pipe. Our end of it closes however we go, and then the shell kills the process.
"""

import subprocess

_WATCH = 'read -r released || kill -9 "$0"'
"""Reads one line; at the end of the file instead it kills the process of that number."""


class Guard:
    """One process, and the shell beside it."""

    def __init__(self, process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
        """Watch it from now on. End it with `kill`, also where it has ended by itself."""
        self._process = process
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, str(process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that what ends our whole group, Ctrl-C too, leaves it to do its work
        )

    def kill(self) -> None:
        """Kill the process, wait until it is gone, and let the shell go. Safe to call twice."""
        self._process.kill()
        self._process.wait()
        if self._shell.returncode is None:
            self._shell.communicate(b"\n")

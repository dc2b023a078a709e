"""`python -m turnkeeper.cli`: the command line where the `turnkeeper` script is not on PATH."""

from turnkeeper.cli.main import main

main()

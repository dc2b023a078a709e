"""The commands, a module each; `turnkeeper.cli.main` imports one when it is run."""

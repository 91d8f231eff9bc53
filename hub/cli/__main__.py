"""Lets `python -m hub.cli` be the command `valise`, for programs that start it.

Not for: the commands. User's page: `docs/reference/commands.md`.
"""

from hub.cli import main

main()

"""`valise connector`: the commands that set an agency's connector up and run it.

Not for: what each does (`enrol.py`, `run.py`). User's page: `docs/how-to/enrol-a-partner.md`.
"""

import click

from connectors.cli.enrol import answer, init, init_all
from connectors.cli.run import run


@click.group()
def connector() -> None:
    """Set up an agency's connector and run it.

    First `init`, which makes keys and a request; then the registry office challenges the request; then `answer`; when
    the office has enrolled the agency, `run`.
    """


for _command in (init, init_all, answer, run):
    connector.add_command(_command)

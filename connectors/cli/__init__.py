"""The agency's commands of `valise`: which there are, and where each lives.

The hub's command line finds this table through the entry-point group `valise.commands`; a command's module is imported
when it is called, so nothing heavy may be imported here. Not for: the commands themselves. User's page:
`docs/reference/commands.md`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: name -> (module:command, one line of help)
COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "acted": ("connectors.cli.acted:acted", "Sign what was done about a message."),
        "alarms": ("connectors.cli.alarms:alarms", "List what is late or wrong."),
        "audience": ("connectors.cli.send:audience", "Show who would get a message, what not, and why."),
        "connector": ("connectors.cli.connector:connector", "Set up an agency's connector and run it."),
        "demo": ("connectors.demo:demo", "Play an exercise operation on this machine."),
        "evidence": ("connectors.cli.evidence:evidence", "Write the evidence of one delivery."),
        "feedback": ("connectors.cli.send:feedback", "Answer a message: what came of it."),
        "inbox": ("connectors.cli.inbox:inbox", "List what an agency received."),
        "matrix": ("connectors.cli.matrix:matrix", "Show what became of a message at each addressee."),
        "operation": ("connectors.cli.operation:operation", "Open operations and read their statistics."),
        "outbox": ("connectors.cli.outbox:outbox", "List what an agency sent."),
        "purge": ("connectors.cli.purge:purge", "Destroy what may not be kept any longer."),
        "seizure": ("connectors.cli.send:seizure", "Report a seizure that a message led to."),
        "show": ("connectors.cli.show:show_message", "Read a message."),
        "status": ("connectors.cli.status:status", "Show on one screen whether an agency's exchange works."),
        "subscribe": ("connectors.cli.subscribe:subscribe", "Ask to be offered messages by kind, operation or topic."),
        "template": ("connectors.cli.template:template", "Write a workbook in which officers fill in messages."),
        "why": ("connectors.cli.why:why", "Say why a partner has not got a message."),
        "warn": ("connectors.cli.send:warn", "Send warnings."),
    }
)

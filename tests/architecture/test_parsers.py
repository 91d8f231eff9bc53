"""Everything that takes bytes from outside is fuzzed: a new parser joins the table, or this fails."""

import ast
import importlib
from collections.abc import Iterator
from typing import Final

from tests.fuzz.targets import TARGETS
from tests.support.tree import CODE, Module, check_none, modules

OTHERS: Final = frozenset(
    {
        "hub.protocol.encoding.decode_b64url",
        "hub.protocol.submission.verify_submission",
        "hub.protocol.copy.verify_copy",
        "hub.protocol.jws.verify_jws",
        "hub.protocol.receipt.verify_receipt",
        "hub.protocol.operation.verify_operation",
        "hub.protocol.subscription.verify_subscription",
        "hub.protocol.statements.verify_statement",
        "hub.protocol.session.SessionDesk.log_in",
        "hub.protocol.session.SessionDesk.check",
        "hub.protocol.enrolment.challenge_enrolment",
        "hub.protocol.enrolment.answer_challenge",
        "hub.protocol.enrolment.verify_enrolment",
        "hub.protocol.keyring.open_keyring",
        "hub.protocol.keyring.cost_of",
        "hub.protocol.hazmat.end_of_certificate",
        "hub.protocol.strictjson.check_json",
        "hub.api.mailbox.read_mark",
        "connectors.kit.client.HubClient.collect",
        "hub.policy.sets.unbundle",
        "hub.policy.sets.PolicySet.load",
        "hub.settings.HubSettings.read",
        "hub.tlog.checkpoint.verify_checkpoint",
        "hub.verify.trust.verify_directory",
        "hub.verify.evidence.verify_evidence",
        "connectors.kit.settings.read_settings",
        "connectors.kit.register.read_register",
        "connectors.kit.at_rest.take_out",
    }
)
"""Entry points for bytes from outside that are not called `parse_*`."""


def _parsers(module: Module) -> Iterator[str]:
    dotted = module.name.removesuffix(".py").replace("/", ".")
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("parse_"):
            yield f"{dotted}.{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from (
                f"{dotted}.{node.name}.{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.name.startswith("parse_")
            )


def _covered() -> set[str]:
    return {name for target in TARGETS.values() for name in target.covers}


def test_every_parser_is_fuzzed() -> None:
    parsers = {name for module in modules(*CODE) for name in _parsers(module)}
    assert len(parsers) > 20
    check_none(sorted((parsers | OTHERS) - _covered()))


def test_every_covered_function_exists() -> None:
    for name in _covered():
        parts = name.split(".")
        place = next(at for at, part in enumerate(parts) if part != part.lower() or at == len(parts) - 1)
        found = importlib.import_module(".".join(parts[:place]))
        for part in parts[place:]:
            found = getattr(found, part)
        assert callable(found), name

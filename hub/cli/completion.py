"""`valise completion`: what a shell needs in order to complete the commands of `valise`.

Not for: which commands there are (`hub/cli/__init__.py`). User's page: `docs/how-to/use-the-command-line.md`.
"""

import click
from click.shell_completion import get_completion_class

from hub.cli.output import json_option, show
from hub.protocol.errors import SetupError

_VARIABLE = "_VALISE_COMPLETE"  # click's; a shell that completes sets it


@click.command(epilog="Example: valise completion bash > ~/.local/share/bash-completion/completions/valise")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
@click.pass_context
def completion(ctx: click.Context, shell: str, *, as_json: bool) -> None:
    r"""Print the script that lets SHELL complete commands and options of `valise`.

    \b
    bash: valise completion bash > ~/.local/share/bash-completion/completions/valise
    zsh:  valise completion zsh > ~/.zfunc/_valise        (with ~/.zfunc in fpath)
    fish: valise completion fish > ~/.config/fish/completions/valise.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise SetupError(f"no completion for {shell}")
    script = kind(ctx.find_root().command, {}, "valise", _VARIABLE).source()
    show({"shell": shell, "script": script}, script, as_json=as_json)

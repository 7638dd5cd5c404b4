"""The composition root: every verb by the path of its function, so that none is imported before it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from cyclopts import App, Group
from cyclopts.exceptions import CycloptsError

from grandpause import __version__
from grandpause.cli.output import fail
from grandpause.errors import GrandpauseError, OwnFault, UsageError

_GROUPS = {
    "try": Group("Try it", sort_key=0),
    "statements": Group("Statements: draft, look, sign", sort_key=1),
    "sites": Group("Sites: run, look, prove", sort_key=2),
}
_VERBS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "try": {
        "demo": ("demo:demo", "Stop a simulated supercomputer and prove it."),
        "sim": ("sim:app", "Simulated sites and devices, over the real protocols."),
    },
    "statements": {
        "key": ("charters:keys", "Make keys."),
        "init": ("charters:init", "Draft a charter from a template."),
        "pause": ("acts:pause", "Draft a limit near zero."),
        "curtail": ("acts:curtail", "Draft a limit in watts or percent."),
        "resume": ("acts:resume", "Draft a lift: ends limits, starts nothing."),
        "restart": ("acts:restart", "Draft a restart: raises a latch, once."),
        "show": ("signing:show", "Say what a statement does, and its short code."),
        "sign": ("signing:sign", "Sign a statement with a key file."),
    },
    "sites": {
        "site": ("site:app", "The site controller."),
        "verify": ("verify:verify", "Verify an evidence bundle, offline."),
        "doctor": ("doctor:doctor", "Check this machine and installation."),
    },
}
"""Group -> verb -> (where its function is, its line in the list of verbs)."""

_EXIT_CODES = """

Exit codes: 0 proven, or the truth asked for; 1 not proven; 2 bad input; 3 refused by trust (signature,
quorum, power, digest); 4 stale; 5 our own fault. Every reporting command takes --json.
"""


def make_app(*, listing: bool = False) -> App:
    """Return the application; no verb's module is imported yet.

    Args:
        listing: give every verb its one line here, for the list of all verbs; otherwise a verb's help is
            its docstring, which takes its module.
    """
    app = App(
        name="grandpause",
        version=__version__,
        help="A pause button for AI supercomputers: signed ceilings, staged stops, metered proof.\n\n"
        "Begin with: grandpause demo" + _EXIT_CODES,
        help_format="plaintext",
    )
    for group, verbs in _VERBS.items():
        for name, (place, line) in verbs.items():
            app.command(
                f"grandpause.cli.{place}", name=name, group=_GROUPS[group], help=line if listing else None
            )
    app.register_install_completion_command(add_to_startup=False)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    as_json = "--json" in arguments
    try:
        listing = not arguments or arguments[0].startswith("-")
        result = make_app(listing=listing)(
            list(arguments), exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as cause:
        verb = [each for each in arguments[:1] if each.isalpha()]
        hint = " ".join(["grandpause", *verb, "--help"])
        return fail(UsageError(str(cause), hint=hint), as_json=as_json)
    except GrandpauseError as cause:
        return fail(cause, as_json=as_json)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return 130
    except BrokenPipeError:
        # Whoever read our output went away; there is nobody left to tell.
        sys.stderr.close()
        return 141
    except OSError as cause:
        place = str(cause.filename or "")
        return fail(UsageError(cause.strerror or str(cause), where=place), as_json=as_json)
    except Exception as cause:  # the last resort: 1 would mean "not proven"
        if os.environ.get("GRANDPAUSE_TRACEBACK"):
            raise
        return fail(
            OwnFault(f"{type(cause).__name__}: {cause}", hint="GRANDPAUSE_TRACEBACK=1 shows where"),
            as_json=as_json,
        )
    return result if isinstance(result, int) else 0

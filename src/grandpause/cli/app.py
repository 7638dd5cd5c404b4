"""The composition root: every verb by the path of its function, so that none is imported before it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, Group
from cyclopts.exceptions import CycloptsError

from grandpause import __version__
from grandpause.cli.output import fail
from grandpause.errors import GrandpauseError, OwnFault, UsageError

STATEMENTS = Group("Statements: draft, look, sign", sort_key=1)
SITES = Group("Sites: run, look, prove", sort_key=2)
TRY = Group("Try it", sort_key=0)

_EXIT_CODES = """

Exit codes: 0 proven, or the truth asked for; 1 not proven; 2 bad input; 3 refused by trust (signature,
quorum, power, digest); 4 stale; 5 our own fault. Every reporting command takes --json.
"""


def make_app() -> App:
    """Return the application; no verb's module is imported yet."""
    app = App(
        name="grandpause",
        version=__version__,
        help="A pause button for AI supercomputers: signed ceilings, staged stops, metered proof.\n\n"
        "Begin with: grandpause demo" + _EXIT_CODES,
        help_format="plaintext",
    )
    verbs = "grandpause.cli"
    app.command(
        f"{verbs}.demo:demo", name="demo", group=TRY, help="Stop a simulated supercomputer and prove it."
    )
    app.command(
        f"{verbs}.sim:app", name="sim", group=TRY, help="Simulated sites and devices, over real protocols."
    )
    app.command(
        f"{verbs}.charters:init", name="init", group=STATEMENTS, help="Draft a charter from a template."
    )
    app.command(f"{verbs}.charters:keys", name="key", group=STATEMENTS, help="Make and show keys.")
    app.command(f"{verbs}.acts:pause", name="pause", group=STATEMENTS, help="Draft a limit near zero.")
    app.command(
        f"{verbs}.acts:curtail", name="curtail", group=STATEMENTS, help="Draft a limit in watts or percent."
    )
    app.command(
        f"{verbs}.acts:resume",
        name="resume",
        group=STATEMENTS,
        help="Draft a lift: ends limits, starts nothing.",
    )
    app.command(
        f"{verbs}.acts:restart",
        name="restart",
        group=STATEMENTS,
        help="Draft a restart: raises a latch once.",
    )
    app.command(
        f"{verbs}.signing:show",
        name="show",
        group=STATEMENTS,
        help="Say what a statement does, and its short code.",
    )
    app.command(
        f"{verbs}.signing:sign", name="sign", group=STATEMENTS, help="Sign a statement with a key file."
    )
    app.command(
        f"{verbs}.verify:verify", name="verify", group=SITES, help="Verify an evidence bundle, offline."
    )
    app.command(f"{verbs}.site:app", name="site", group=SITES, help="The site controller.")
    app.command(
        f"{verbs}.doctor:doctor", name="doctor", group=SITES, help="Check this machine and installation."
    )
    app.register_install_completion_command(add_to_startup=False)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    as_json = "--json" in arguments
    try:
        result = make_app()(
            list(arguments), exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as cause:
        return fail(UsageError(str(cause), hint="grandpause --help"), as_json=as_json)
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

"""A controller's memory, step by step: what lowers the latch, and what alone raises it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.vectors.cast import CONTROLLER, DAY, SITE, T0, Json, caps_of, compute, limit, nonce, restart

from grandpause.core.memory import Memory
from grandpause.core.model import Caps, Profile
from grandpause.core.statement.acts import Limit, Restart, RestartPurpose
from grandpause.core.statement.codec import encode

NONE = Caps()
QUARTER = compute(250_000)
NOW = (T0, T0)


def memory_value(memory: Memory) -> Json:
    """Return a memory as the vectors write it; ``standby`` is null outside one."""
    return {
        "nonce": memory.nonce,
        "latch": caps_of(memory.latch),
        "latched": sorted(memory.latched),
        "standby": None if memory.standby is None else sorted(memory.standby),
        "used": sorted(memory.used),
        "armed": memory.armed,
        "adversarial": memory.adversarial,
        "category": memory.category,
    }


def _look(after: Memory, *in_force: tuple[Limit, str]) -> Json:
    """Return a step: these limits are in force, each returning "restart" or "itself"."""
    return {
        "do": "look",
        "in_force": [
            {"name": encode(each).name, "payload": encode(each).payload.decode(), "returns": returns}
            for each, returns in in_force
        ],
        "fresh_nonce": nonce(50),
        "after": memory_value(after),
    }


def _use(do: str, act: Restart, ceiling: Caps, result: Memory | str, now: tuple[int, int] = NOW) -> Json:
    """Return a step: a restart (or a permission to disarm) is used, or refused at this field."""
    ends = (
        {"after": memory_value(result)} if isinstance(result, Memory) else {"code": "trust", "where": result}
    )
    return {
        "do": do,
        "name": encode(act).name,
        "payload": encode(act).payload.decode(),
        "ceiling": caps_of(ceiling),
        "now": list(now),
        "fresh_nonce": nonce(60),
        **ends,
    }


def _disarm(ceiling: Caps, result: Memory | str) -> Json:
    ends = (
        {"after": memory_value(result)} if isinstance(result, Memory) else {"code": "trust", "where": result}
    )
    return {"do": "disarm", "ceiling": caps_of(ceiling), "now": list(NOW), **ends}


def _case(name: str, begin: Memory, steps: Sequence[Json]) -> Json:
    return {
        "id": name,
        "site": SITE,
        "controller": CONTROLLER,
        "begin": memory_value(begin),
        "steps": list(steps),
    }


def _latches() -> Iterator[Json]:
    one = limit()
    harsh = limit(ceiling=0, profile=Profile.ADVERSARIAL, category=0, nonce=nonce(20))
    name, second = encode(one).name, encode(harsh).name
    armed = Memory(nonce=nonce(10), armed=True)
    held = Memory(nonce=nonce(50), armed=True, latch=QUARTER, latched=frozenset({name}), category=1)
    over = Memory(nonce=nonce(50), armed=True, latch=QUARTER, category=1)
    both = Memory(
        nonce=nonce(50),
        armed=True,
        latch=compute(0),
        latched=frozenset({name, second}),
        adversarial=True,
        category=0,
    )
    yield _case(
        "a-latching-limit-lowers-the-latch-and-changes-the-nonce", armed, [_look(held, (one, "restart"))]
    )
    yield _case("the-same-again-changes-nothing", held, [_look(held, (one, "restart"))])
    yield _case("the-latch-stays-when-the-limit-is-over", held, [_look(over)])
    yield _case("a-limit-that-returns-by-itself-does-not-latch", armed, [_look(armed, (one, "itself"))])
    yield _case(
        "an-unarmed-site-does-not-latch",
        Memory(nonce=nonce(10)),
        [_look(Memory(nonce=nonce(10)), (one, "restart"))],
    )
    yield _case("the-strictest-holds", held, [_look(both, (one, "restart"), (harsh, "restart"))])


def _restarts() -> Iterator[Json]:
    over = Memory(nonce=nonce(50), armed=True, latch=QUARTER, category=1, standby=frozenset({"n1"}))
    back = restart(nonce(50))
    part = restart(nonce(50), caps=compute(600_000))
    used = frozenset({encode(back).name})
    free = Memory(nonce=nonce(60), armed=True, used=used)
    yield _case(
        "a-restart-raises-the-latch-once",
        over,
        [_use("restart", back, NONE, free), _use("restart", back, NONE, "restart")],
    )
    yield _case(
        "a-restart-never-ends-above-the-ceiling",
        over,
        [_use("restart", back, QUARTER, Memory(nonce=nonce(60), armed=True, latch=QUARTER, used=used))],
    )
    yield _case(
        "a-restart-to-a-part",
        over,
        [
            _use(
                "restart",
                part,
                NONE,
                Memory(
                    nonce=nonce(60),
                    armed=True,
                    latch=compute(600_000),
                    used=frozenset({encode(part).name}),
                ),
            )
        ],
    )
    one = limit()
    name = encode(one).name
    held = Memory(nonce=nonce(50), armed=True, latch=QUARTER, latched=frozenset({name}), category=1)
    raised = Memory(nonce=nonce(60), armed=True, latch=QUARTER, used=used)
    again = Memory(
        nonce=nonce(50), armed=True, latch=QUARTER, latched=frozenset({name}), used=used, category=1
    )
    yield _case(
        "a-limit-that-is-still-in-force-latches-again",
        held,
        [_use("restart", back, QUARTER, raised), _look(again, (one, "restart"))],
    )
    for name, act, where in (
        ("an-old-nonce", restart(nonce(10)), "restart.nonces"),
        (
            "another-controller-s-nonce",
            restart(nonce(50), nonces={"controller-2": nonce(50)}),
            "restart.nonces",
        ),
        ("another-site", restart(nonce(50), site="hall-9999"), "restart.site"),
        ("a-permission-to-disarm", restart(nonce(50), purpose=RestartPurpose.DISARM), "restart.purpose"),
    ):
        yield _case(f"no-restart-by-{name}", over, [_use("restart", act, NONE, where)])
    late = (T0 + DAY, T0 + DAY + 1)
    yield _case(
        "no-restart-when-it-may-be-too-late", over, [_use("restart", back, NONE, "restart.void_after", late)]
    )


def _disarming() -> Iterator[Json]:
    free = Memory(nonce=nonce(10), armed=True)
    held = Memory(nonce=nonce(10), armed=True, latch=QUARTER)
    waits = Memory(nonce=nonce(10), armed=True, standby=frozenset())
    allowed = restart(nonce(10), purpose=RestartPurpose.DISARM)
    raises = restart(nonce(10))
    yield _case("disarming-where-nothing-binds", free, [_disarm(NONE, Memory(nonce=nonce(10)))])
    yield _case("no-disarming-under-a-ceiling", free, [_disarm(QUARTER, "disarm")])
    yield _case("no-disarming-under-a-latch", held, [_disarm(NONE, "disarm")])
    yield _case("no-disarming-in-a-standby", waits, [_disarm(NONE, "disarm")])
    yield _case(
        "disarming-by-permission-clears-nothing",
        held,
        [
            _use(
                "disarm",
                allowed,
                NONE,
                Memory(nonce=nonce(10), latch=QUARTER, used=frozenset({encode(allowed).name})),
            )
        ],
    )
    yield _case(
        "a-restart-is-no-permission-to-disarm", held, [_use("disarm", raises, NONE, "restart.purpose")]
    )


def cases() -> Json:
    """Return the content of memory.json."""
    return {"cases": [*_latches(), *_restarts(), *_disarming()]}

"""The window gives every slot once, in turn, and gets every slot back."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grandpause.drivers.redfish.window import Load, Window


async def test_no_more_than_the_slots_are_used_at_once() -> None:
    window = Window(3, lend_after_s=60, most_lent=0)
    most = 0

    async def work() -> None:
        nonlocal most
        slot = await window.enter(connected=False)
        most = max(most, window.load.used)
        await asyncio.sleep(0)
        window.leave(slot)

    await asyncio.gather(*(work() for _ in range(50)))
    assert most == 3
    assert window.load == Load(used=0, lent=0, waiting=0)
    window.close()


async def test_those_with_a_connection_take_every_second_slot() -> None:
    window = Window(1, lend_after_s=60, most_lent=0)
    order: list[str] = []

    async def work(name: str, *, connected: bool) -> None:
        slot = await window.enter(connected=connected)
        order.append(name)
        window.leave(slot)

    first = await window.enter(connected=False)
    waiting = [asyncio.ensure_future(work(f"new{n}", connected=False)) for n in range(3)]
    waiting += [asyncio.ensure_future(work(f"kept{n}", connected=True)) for n in range(3)]
    await asyncio.sleep(0)
    window.leave(first)
    await asyncio.gather(*waiting)
    assert order == ["kept0", "new0", "kept1", "new1", "kept2", "new2"]
    window.close()


async def test_a_slot_that_is_held_too_long_is_lent_but_only_so_many() -> None:
    window = Window(2, lend_after_s=0.05, most_lent=1)
    stuck = [await window.enter(connected=False) for _ in range(2)]
    third = await asyncio.wait_for(window.enter(connected=False), 1)
    assert window.load == Load(used=2, lent=1, waiting=0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(window.enter(connected=False), 0.2)
    for slot in (*stuck, third):
        window.leave(slot)
    assert window.load == Load(used=0, lent=0, waiting=0)
    again = [await window.enter(connected=False) for _ in range(2)]
    assert window.load.used == 2
    assert len(set(again)) == 2
    window.close()


@settings(max_examples=60, deadline=None)
@given(
    slots=st.integers(min_value=1, max_value=4),
    workers=st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), max_size=25),
)
def test_no_slot_is_lost_however_calls_are_cancelled(
    slots: int, workers: list[tuple[bool, bool, int]]
) -> None:
    async def scenario() -> None:
        window = Window(slots, lend_after_s=60, most_lent=2)

        async def work(turns: int, *, connected: bool) -> None:
            slot = await window.enter(connected=connected)
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                window.leave(slot)

        tasks = [asyncio.ensure_future(work(turns, connected=kept)) for kept, _, turns in workers]
        for task, (_, cancelled, turns) in zip(tasks, workers, strict=True):
            if cancelled:
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        assert window.load == Load(used=0, lent=0, waiting=0)
        for _ in range(slots):
            await asyncio.wait_for(window.enter(connected=False), 1)
        window.close()

    asyncio.run(scenario())

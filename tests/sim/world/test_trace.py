from __future__ import annotations

from grandpause.sim.world.trace import BLOCK, Trace


def add(trace: Trace, at_s: float, serial: int) -> None:
    """Add one event as a world does."""
    trace.numbers.append(at_s)
    trace.numbers.append(serial)
    if len(trace.numbers) >= BLOCK:
        trace.full()


def traced(events: int, *, mark: str = "", keeps_words: bool = False) -> Trace:
    trace = Trace(keeps_words=keeps_words)
    for number in range(events):
        add(trace, number / 8, number)
    if mark:
        trace.mark(mark)
    return trace


def test_the_same_events_give_the_same_digest() -> None:
    assert traced(10_000, mark="alarm").hexdigest() == traced(10_000, mark="alarm").hexdigest()


def test_every_event_moment_order_and_word_is_in_the_digest() -> None:
    other_moment, other_order = traced(9), traced(9)
    add(other_moment, 9 / 8 + 1e-9, 9)
    add(other_order, 9 / 8, 10)
    all_of_them = [
        traced(10),
        traced(11),
        traced(10, mark="alarm"),
        traced(10, mark="alarms"),
        other_moment,
        other_order,
        traced(BLOCK // 2 - 1),
        traced(BLOCK // 2),
        traced(BLOCK // 2 + 1),
    ]
    assert len({each.hexdigest() for each in all_of_them}) == len(all_of_them)


def test_every_event_is_counted_whether_or_not_it_is_in_the_digest_already() -> None:
    for events in (0, 1, BLOCK // 2 - 1, BLOCK // 2, BLOCK // 2 + 1, 3 * BLOCK):
        assert traced(events).count == events


def test_to_look_at_the_digest_changes_nothing() -> None:
    looked, quiet = traced(5), traced(5)
    assert looked.hexdigest() == looked.hexdigest()
    for each in (looked, quiet):
        add(each, 1.0, 6)
    assert looked.hexdigest() == quiet.hexdigest()


def test_words_are_kept_for_people_and_are_no_part_of_the_digest() -> None:
    trace, silent = traced(3, keeps_words=True), traced(3)
    trace.say(90_061.5, "site-1 boots")
    assert trace.words == ("#3 day 1 01:01:01.500 site-1 boots",)
    assert trace.hexdigest() == silent.hexdigest()


def test_only_the_last_fifty_words_are_kept_the_oldest_first() -> None:
    trace = Trace(keeps_words=True)
    for number in range(60):
        trace.say(0.0, f"event {number}")
    assert [each.rpartition(" ")[2] for each in trace.words] == [str(number) for number in range(10, 60)]

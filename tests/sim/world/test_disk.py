"""The simulated disk: what each doom leaves behind, against what the real store does in its crash images."""

from __future__ import annotations

import pytest

from grandpause.core.memory import Memory
from grandpause.core.model import Interval, Stage
from grandpause.core.stop import EffectKey
from grandpause.errors import StoreError
from grandpause.ports import StoredStatement
from grandpause.sim.world.disk import Disk, PowerCut
from grandpause.sim.world.settings import Fault

OLD, NEW = Memory(nonce="00" * 16), Memory(nonce="11" * 16, armed=True)
NOW = Interval(earliest=1, latest=2)
KEY = EffectKey("ab" * 32, "n001", Stage.FORCE_OFF, 1)


def statement(data: bytes, admitted: Interval = NOW) -> StoredStatement:
    return StoredStatement(charter="c", data=data, admitted=admitted)


def used() -> Disk:
    disk = Disk()
    disk.commit(statements=[statement(b"one")], memory=OLD, values={"seen_s": b"1"})
    return disk


def held(disk: Disk) -> tuple[list[bytes], Memory | None, bytes | None]:
    return [each.data for each in disk.statements()], disk.memory(), disk.value("seen_s")


BEFORE = ([b"one"], OLD, b"1")
AFTER = ([b"one", b"two"], NEW, b"2")


def write(disk: Disk) -> None:
    disk.commit(statements=[statement(b"two")], memory=NEW, values={"seen_s": b"2"})


def test_a_write_is_there_afterwards_all_of_it() -> None:
    disk = used()
    write(disk)
    assert held(disk) == AFTER
    assert disk.writes == 2


@pytest.mark.parametrize(
    ("doom", "left"),
    [(Fault.WRITE_KEPT, AFTER), (Fault.WRITE_DROPPED, BEFORE), (Fault.WRITE_TORN, BEFORE)],
)
def test_when_the_power_fails_within_a_write_it_is_there_or_not_and_never_half(
    doom: Fault, left: tuple[list[bytes], Memory, bytes]
) -> None:
    disk = used()
    disk.doom = doom
    with pytest.raises(PowerCut):
        write(disk)
    assert held(disk) == left
    write(disk)
    assert held(disk) == AFTER, "a doom strikes once"


def test_a_full_disk_takes_nothing_and_is_no_power_cut() -> None:
    disk = used()
    disk.doom = Fault.DISK_FULL
    with pytest.raises(StoreError, match="full"):
        write(disk)
    assert held(disk) == BEFORE


@pytest.mark.parametrize("doom", [Fault.WRITE_KEPT, Fault.WRITE_DROPPED, Fault.WRITE_TORN, Fault.DISK_FULL])
def test_commands_whose_record_failed_were_not_recorded(doom: Fault) -> None:
    disk = used()
    disk.doom = doom
    with pytest.raises((PowerCut, StoreError)):
        disk.record_effects([KEY], at_s=0)
    assert KEY not in disk.commands
    disk.record_effects([KEY], at_s=0)
    assert KEY in disk.commands
    assert len(disk.commands) == 1


def test_commands_that_were_recorded_lately_are_told_to_the_next_process() -> None:
    disk = used()
    later = KEY._replace(attempt=2)
    disk.record_effects([KEY], at_s=100)
    disk.record_effects([later], at_s=400)
    assert disk.effects() == [(KEY, 100), (later, 400)]
    assert disk.effects(since_s=101) == [(later, 400)]


def test_a_flipped_bit_is_found_at_the_next_look_and_the_next_write() -> None:
    disk = used()
    disk.damaged = True
    for look in (disk.statements, disk.memory, lambda: disk.value("seen_s"), lambda: write(disk)):
        with pytest.raises(StoreError, match="seal"):
            look()


def test_the_same_statement_again_keeps_its_first_date_and_its_place() -> None:
    disk = used()
    disk.commit(statements=[statement(b"one", Interval(earliest=8, latest=9)), statement(b"two")])
    assert [(each.data, each.admitted) for each in disk.statements()] == [(b"one", NOW), (b"two", NOW)]
    assert disk.memory() == OLD, "what is not given stays"


def test_an_old_image_comes_back_whole_and_is_no_part_of_the_disk() -> None:
    disk = used()
    image = disk.content.copy()
    write(disk)
    disk.damaged = True
    disk.restore(image)
    assert held(disk) == BEFORE
    write(disk)
    disk.restore(image)
    assert held(disk) == BEFORE, "writing after a restoration must not change the image"


def test_a_reinstallation_leaves_nothing_not_even_damage() -> None:
    disk = used()
    disk.damaged = True
    disk.wipe()
    assert held(disk) == ([], None, None)

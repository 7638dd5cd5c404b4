"""One life of a site's controller: from a boot until the power fails or its own fault ends it.

Takes the engine's place: performs what the controller decides on simulated devices, under virtual time.
What was under way when it ended is gone with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from grandpause.core.conductor import next_wake
from grandpause.core.model import Power, Reply, Stage
from grandpause.core.statement.charter import Charter
from grandpause.core.stop import Alarm, Answered, Claimed, Command, EffectKey, Question, Tick
from grandpause.core.trust import Standing
from grandpause.errors import StatementError, TrustError
from grandpause.ports import Claim
from grandpause.sim.world import invariants
from grandpause.sim.world.hall import Machine
from grandpause.sim.world.network import Way
from grandpause.sim.world.people import Posted
from grandpause.site.controller import Controller, Ended, Move, Started, VerdictDue

if TYPE_CHECKING:
    from grandpause.sim.world.site import SimSite

SWEEP_S: Final = 60.0
WINDOW_S: Final = 300
"""Between two rounds of every meter and BMC."""
QUIET_SWEEPS: Final = 9
"""After so many rounds without anything new the next ones would bring nothing either: the window is full
of equal readings, and every patience has run out. They are counted as idle, and not made."""
PROVEN_SWEEPS: Final = 2
_OUTLET_S: Final = 0.3


class Process:
    """One running controller.

    Attributes:
        alive: whether anything may still reach it.
    """

    def __init__(self, site: SimSite, controller: Controller) -> None:
        self.site = site
        self.world = site.world
        self.controller = controller
        self.alive = True
        self._tick_at = -1.0
        self._look_at = -1.0
        self._sweep_at = -1.0
        self._swept_s = self.world.now_s
        self._quiet = 0
        self._plan: object = None

    def start(self) -> None:
        """Obey what binds already, and look around."""
        self.perform(self.controller.obey())
        self.decided()

    def receive(self, posted: Posted, piece: int) -> bool:
        """Take one envelope; return whether it was acknowledged."""
        data, people = posted.pieces[piece]
        site = self.site
        site.in_flight = (posted, people)
        try:
            admission, moves = self.controller.receive(data)
        except (StatementError, TrustError) as refusal:
            site.in_flight = None
            self.world.note(site, f"refuses {posted.name[:8]}: {refusal}")
            return False
        site.in_flight = None
        self.world.note(
            site, f"{admission.kind} {posted.name[:8]} by {'+'.join(people)}: {admission.standing}"
        )
        site.ledger.hear(posted, people, self.world.now_s, clock_right=site.clock_honest)
        self.perform(moves)
        if admission.standing is Standing.COUNTS:
            if isinstance(posted.statement, Charter):
                invariants.charters_by_the_right_people(self.controller.keeper.charters[0], site.ledger)
            self.decided()
        return True

    def arm(self) -> None:
        """The operator arms it."""
        self.site.arming = True
        moves = self.controller.arm()
        self.site.ledger.armed = True
        self.site.arming = False
        self.perform(moves)
        self.decided()

    def disarm(self) -> bool:
        """The operator tries to disarm it; return whether that was allowed."""
        self.site.arming = True
        try:
            moves = self.controller.disarm()
        except TrustError:
            self.site.arming = False
            return False
        self.site.judge_disarming()
        self.site.ledger.armed = False
        self.site.arming = False
        self.perform(moves)
        self.decided()
        return True

    def decided(self) -> None:
        """Hold what was decided against the ledger; wait for what time alone will change."""
        self.site.judge_decision(self.controller.decision)
        if self.controller.plan is not self._plan:
            self._plan = self.controller.plan
            self.stir()
        wait_s = self.controller.keeper.next_change_s()
        if wait_s is not None:
            self._look_at = self.world.now_s + max(1.0, wait_s)
            self.world.push(self._look_at, self.look, None, None)

    # What happens to it. Each takes two arguments, as every event of the world does.

    def look(self, _a: object, _b: object) -> None:
        """Time has come at which a limit may begin or end."""
        if self.alive and self._look_at == self.world.now_s:
            self.world.deadlines += 1
            self.perform(self.controller.obey())
            self.decided()

    def glance(self) -> None:
        """Look at the clocks, and at what time alone has changed."""
        self.perform(self.controller.obey())
        self.decided()

    def tick(self, _a: object, _b: object) -> None:
        """A deadline, retry or slot of the conductor is due."""
        if self.alive and self._tick_at == self.world.now_s:
            self._tick_at = -1.0
            self.world.deadlines += 1
            self.perform(self.controller.feed(Tick()))

    def answered(self, key: EffectKey, reply: Reply) -> None:
        """A device answers a command."""
        if self.alive:
            self.world.messages += 1
            self.perform(self.controller.feed(Answered(key, reply)))

    def claimed(self, element: str, claim: Claim) -> None:
        """A device answers a question."""
        if self.alive:
            self.world.messages += 1
            self.perform(self.controller.heard(element, claim))

    def told(self, element: str, claim: Claim) -> None:
        """An outlet answers where it stands."""
        if self.alive:
            self.world.messages += 1
            self.perform(self.controller.feed(Claimed(element, claim.power, claim.reply)))

    def sweep(self, _a: object, _b: object) -> None:
        """Ask the machines of which something changed; read every meter; judge."""
        world, site = self.world, self.site
        if not self.alive or self._sweep_at != world.now_s:
            return
        self._sweep_at = -1.0
        changed, site.hall.changed = site.hall.changed, {}
        self._read_meters(changed=bool(changed) or site.meters_stirred)
        site.meters_stirred = False
        for machine in changed.values():
            self._ask(machine, within_s=site.timing.command_s)
        if changed and self.controller.keeper.memory.standby is not None:
            world.push(world.now_s + site.timing.command_s + 1.0, self.asked, world.now_s, None)
        self._swept_s = world.now_s
        if self.controller.stop.plan is None:
            return  # nothing to prove; the next change brings the next round
        self.perform(self.controller.judge())
        site.judge_proof()
        invariants.residuals_are_named(self.controller.stop.runs.values(), site.named)
        self._quiet = 0 if changed else self._quiet + 1
        if self._quiet < (PROVEN_SWEEPS if site.proven else QUIET_SWEEPS):
            self._sweep_at = world.now_s + SWEEP_S
            world.push(self._sweep_at, self.sweep, None, None)

    def asked(self, since_s: float, _b: object) -> None:
        """Everybody who was asked has answered, or has not."""
        if self.alive:
            self.controller.seen_since(self.site.clock.monotonic_at(since_s))

    def stir(self) -> None:
        """Something happened: the next round will bring something new."""
        if not self.alive:
            return
        self._quiet = 0
        if self._sweep_at < 0:
            now_s = self.world.now_s
            idle = int((now_s - self._swept_s) / SWEEP_S)
            self.world.idle_sweeps += idle
            self._sweep_at = max(self._swept_s + (idle + 1) * SWEEP_S, now_s)
            self.world.push(self._sweep_at, self.sweep, None, None)

    def perform(self, moves: Sequence[Move]) -> None:
        """Do what the controller decided: commands are on disk before they are on their way."""
        if moves:
            commands = None
            for move in moves:
                if isinstance(move, Question):
                    self._question(move)
                elif not isinstance(move, Command):
                    self._tell(move)
                elif commands is None:
                    commands = [move]
                else:
                    commands.append(move)
            if commands is not None:
                site = self.site
                site.disk.record_effects([each.key for each in commands], at_s=site.clock.wall_s())
                for each in commands:
                    self._send(each)
        stop = self.controller.stop
        wake = next_wake(stop) if stop.plan is not None else None
        if wake is not None:
            # A millisecond late: rounding between the two clocks must not make it too early, again and again.
            world = self.world
            at_s = max(self.site.clock.true_s(wake), world.now_s) + 0.001
            if self._tick_at < 0 or at_s < self._tick_at:
                self._tick_at = at_s
                world.push(at_s, self.tick, None, None)

    def _tell(self, move: Move) -> None:
        site = self.site
        if isinstance(move, Alarm):
            site.named.add(move.element)
            site.alarm(move.code, f"{move.element}: {move.text}")
        elif isinstance(move, VerdictDue):
            site.verdict(move.proof)
        elif isinstance(move, Started):
            site.demanded()
        elif isinstance(move, Ended):
            site.ended()

    def _send(self, command: Command) -> None:
        site, world = self.site, self.world
        world.commands += 1
        invariants.unarmed_sends_nothing(command, armed=site.ledger.armed)
        invariants.recorded_before_sent(command, site.disk.commands)
        invariants.deny_list_untouched(command, site.hall)
        invariants.hosts_told_nothing(command, adversarial=site.adversarial)
        key = command.key
        machine = site.hall.machines[key.element]
        if world.words:
            world.note(site, f"{command.act} to {machine.id}")
        way = site.network.way()
        arrives = returns = True
        twice = False
        if isinstance(way, Way):
            world.struck(way.fault)
            arrives, returns, delay_s, twice, _ = way
        else:
            delay_s = way
        if key.stage is Stage.OUTLET_OFF:
            # Power units hang on the same network; their own faults are those of the outlets.
            reply = Reply.ACCEPTED
            if arrives and not machine.welded:
                world.push(world.now_s + _OUTLET_S, site.unplug, machine, None)
        else:
            reply = site.hall.receive(machine) if arrives else Reply.TIMED_OUT
            if reply is Reply.ACCEPTED:
                site.obey(machine, key.stage)
        if not returns or reply is Reply.TIMED_OUT or delay_s > command.within_s:
            reply, delay_s = Reply.TIMED_OUT, command.within_s
        world.push(world.now_s + delay_s, self.answered, key, reply)
        if twice:
            world.push(world.now_s + 2 * delay_s, self.answered, key, reply)

    def _question(self, question: Question) -> None:
        machine = self.site.hall.machines[question.element]
        if question.outlet:
            stands = Power.ON if machine.fed else Power.OFF
            self._reply(self.told, machine, Reply.ACCEPTED, stands, question.within_s)
        else:
            self._ask(machine, within_s=question.within_s)

    def _ask(self, machine: Machine, *, within_s: float) -> None:
        self._reply(self.claimed, machine, self.site.hall.receive(machine), machine.claim(), within_s)

    def _reply(
        self,
        heard: Callable[[str, Claim], None],
        machine: Machine,
        reply: Reply,
        power: Power,
        within_s: float,
    ) -> None:
        """Send what a device says of itself on its way back, if the question reached it."""
        world = self.world
        way = self.site.network.way()
        if isinstance(way, Way):
            world.struck(way.fault)
            delay_s = way.delay_s
            if not (way.arrives and way.returns):
                reply = Reply.TIMED_OUT
        else:
            delay_s = way
        if reply is Reply.TIMED_OUT or delay_s > within_s:
            reply, delay_s = Reply.TIMED_OUT, within_s
        claim = _CLAIMS[power] if reply is Reply.ACCEPTED else _SILENT[reply]
        world.push(world.now_s + delay_s, heard, machine.id, claim)

    def _read_meters(self, *, changed: bool) -> None:
        """Read every meter; rounds that were skipped since nothing changed are read now, as they were."""
        site = self.site
        controller = self.controller
        wall_s = site.clock.wall_s()
        # Between stops nothing is proved: the last round is enough, for what was read before the next one.
        skipped = controller.stop.plan is not None and self.world.now_s - self._swept_s > 1.5 * SWEEP_S
        seen = controller.seen
        for box in site.hall.boxes:
            if skipped and box.fault != "stale" and box.id in seen.history:
                for rounds in (3, 2, 1):
                    seen.repeat(box.id, at_s=wall_s - rounds * int(SWEEP_S), window_s=WINDOW_S)
            news = box.look(wall_s) if changed or box.fault else 0
            self.world.readings += news
            if news or box.id not in seen.history:
                controller.read(box.id, box.read())
            elif box.fault != "stale":
                box.at_s = wall_s
                seen.repeat(box.id, at_s=wall_s, window_s=WINDOW_S)


_CLAIMS: Final = {
    power: Claim(power=power, reply=Reply.ACCEPTED) for power in (Power.ON, Power.OFF, Power.UNKNOWN)
}
_SILENT: Final = {reply: Claim(power=Power.UNKNOWN, reply=reply) for reply in Reply}

"""A second opinion on charter, ceiling, limit, lift, permit, latch: from design.md 1, 3, 6, 7, not from code.
Refined by ADR 0008 (dates), 0010 (disarming), 0012 (forks), 0013 (one latch), 0014 (superseded), 0015 (what
clamps a restart), spec/latch.md 2 (unarmed). A moment is (order or log index, earliest, latest); facts are
(act, keys, moment), in order; facts.py says what acts and charters are; a site is whom one asks for."""

from typing import Any

WEEK, NEVER = 7 * 86_400, (float("inf"),) * 3


def met(quorum: Any, keys: Any) -> bool:  # a key, or (threshold, quorums)
    return quorum in keys if isinstance(quorum, str) else sum(met(q, keys) for q in quorum[1]) >= quorum[0]


class Opinion:  # what one charter makes of the facts
    def __init__(self, facts: Any, first: Any) -> None:
        self.facts = [each for each in facts if each.act.charter == first.charter]
        self.acts, self.chain = {each.act for each in self.facts}, [(first, (0, 0, 0))]
        for last, since in self.chain:  # which grows: every version that counts, with its moment
            heirs = [each for each in self.acts if each.kind == "charter" and each.previous == last.name]
            dated = [(max(self.first(h, last, since), self.first(h, h, since)), h.name, h) for h in heirs]
            good = [(heir, when) for when, _, heir in sorted(dated) if when[2] <= heir.void]
            self.chain += good[:1] if last.log else good
        self.forked = len({charter.version for charter, _ in self.chain}) < len(self.chain)

    def first(self, act: Any, judge: Any, since: Any) -> Any:  # complete, by a charter in force since then
        power = judge.powers.get((act.kind, act.power))
        keys: Any = frozenset()
        for fact in [each for each in self.facts if power and each.act == act]:
            keys = fact.keys if judge.log and act.kind != "limit" else keys | fact.keys
            if met(power.quorum, keys):
                return max(fact.moment, since)
        return NEVER

    def raising(self, kind: str) -> Any:  # lifts, permits or restarts that count, with their powers
        for act in [each for each in self.acts if each.kind == kind and not self.forked]:
            for judge, since in self.chain:
                newer = [moment for charter, moment in self.chain if charter.version > judge.version]
                when = self.first(act, judge, since) if judge.log or judge.version == act.version else NEVER
                if when[2] <= act.void and not any(kind != "lift" or m[2] < when[1] for m in newer):
                    yield act, judge.powers[kind, act.power]

    def caps(self, site: Any, now: Any, head: Any = None) -> Any:  # (name, (where, unit), value, latches)
        (_, early, late), new = now, self.chain[-1][0]
        lifts = [(x, p) for x, p in self.raising("lift") if x.start <= early and late <= x.end]
        for limit in [each for each in self.acts if each.kind == "limit" and each.scope & site.scope]:
            known = [(c, m) for c, m in self.chain if c.version == limit.version]
            mine = [c.powers["limit", limit.power] for c, m in known if self.first(limit, c, m) < NEVER]
            mine = [p for p in mine if limit.scope <= p.scope and limit.until - limit.start <= p.longest]
            latches = [p.latches for p in mine if limit.value >= p.least.get(limit.unit, NEVER[0])]
            heirs = [when[2] for charter, when in self.chain if charter.version == limit.version + 1]
            begun = limit.start <= min(late, max(heirs, default=late) + WEEK) and early <= limit.until
            over = [x for x, p in lifts if p.scope >= limit.scope and x.ends & {limit.name, limit.power}]
            if latches and begun and not over:
                yield limit.name, (limit.scope & site.scope, limit.unit), limit.value, any(latches)
        for size, dated in [head] if new.lapse is not None else ():  # of the newest checked tree head
            live = [p for p, _ in self.raising("permit") if p.head <= size and late < dated + new.fresh]
            live = [p.value for p in live if p.start <= early and late - new.grace < min(p.until, new.until)]
            yield "lapse", (site.scope, "compute"), max([new.lapse, *live]), new.lapse_latches and not live


class Site:  # one latch (caps that all hold) and one nonce, whatever the number of charters
    def __init__(self, scope: Any, nothing: Any = frozenset()) -> None:
        self.scope, self.latch, self.latching, self.used = scope, nothing, nothing, nothing
        self.nonce, self.standby, self.armed = 0, True, False

    def look(self, caps: Any) -> None:  # armed: the latch falls; what comes into force renews the nonce
        if self.armed:
            new = {name: (key, value) for name, key, value, latches in caps if latches}
            self.nonce += not set(new) <= self.latching
            self.latch, self.latching = self.latch | set(new.values()), set(new)

    def usable(self, act: Any, power: Any, now: Any) -> bool:  # a restart that counts, at this site now
        mine = act.site == self.scope <= power.scope and act.nonce == self.nonce
        return mine and act.name not in self.used and now[2] <= act.void

    def restart(self, act: Any, caps: Any) -> None:  # once, at once, clamped; without a log
        self.latch, self.standby = set(act.caps) | {cap[1:3] for cap in caps if cap[3]}, False
        self.latching, self.nonce, self.used = set(), self.nonce + 1, self.used | {act.name}

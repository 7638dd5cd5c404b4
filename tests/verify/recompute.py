"""Recomputes a bundle's verdict from its readings: standard library only, nothing of the product.

    python -I -S recompute.py BUNDLE        prints the verdict; exit code 0 proven, 1 not proven

Signatures and digests are not its business: it answers whether the readings in the bundle show that the
ceiling was kept, for a site whose meter paths each cover the whole of it.
"""

import base64
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

LEAST_READINGS, NEAR_ZERO_W, TOLERANCE = 3, 20, 0.05


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def payload(path: Path) -> Any:
    return json.loads(base64.b64decode(json.loads(path.read_bytes())["payload"]))


def readings(bundle: Path) -> dict[str, dict[float, dict[str, int]]]:
    """Return meter -> {second: {channel: watts}}; the last of a second counts."""
    found: dict[str, dict[float, dict[str, int]]] = {}
    for each in json.loads((bundle / "readings/after.json").read_bytes())["readings"]:
        found.setdefault(each["meter"], {})[seconds(each["at"])] = each["watts"]
    for path in sorted((bundle / "readings/signed").glob("*.json")):
        each = payload(path)
        watts = {channel["id"]: channel["watts"] for channel in each["channels"]}
        found.setdefault(each["meter"], {})[seconds(each["at"])] = watts
    return found


def latest(meter: Any, history: dict[float, dict[str, int]], oldest: float, newest: float) -> Any:
    """Return the meter's latest values; None unless the last three of the window are whole and not all 0."""
    fresh = [history[at] for at in sorted(history) if oldest <= at <= newest][-LEAST_READINGS:]
    wanted = [channel["id"] for channel in meter["channels"]]
    good = [each for each in fresh if set(wanted) <= set(each) and any(each.values())]
    return good[-1] if len(good) == LEAST_READINGS else None


def proven(bundle: Path) -> bool:
    evidence, table = payload(bundle / "evidence.json"), json.loads((bundle / "elements.json").read_bytes())
    elements = {each["id"]: each for each in table["elements"]}
    ended, history = seconds(evidence["ended"]), readings(bundle)
    totals: dict[str, int] = {}
    nodes: dict[str, list[tuple[int, int]]] = {}
    broken: set[str] = set()
    for meter in table["meters"]:
        window = evidence["window_s"]
        values = latest(meter, history.get(meter["id"], {}), ended - window, ended + window)
        if values is None:
            broken.add(meter["path"])
            continue
        for channel in meter["channels"]:
            totals[meter["path"]] = totals.get(meter["path"], 0) + values[channel["id"]]
            if len(channel["elements"]) == 1:
                nodes.setdefault(channel["elements"][0], []).append(
                    (values[channel["id"]], meter["resolution_w"])
                )
    paths = sorted(set(totals) - broken)
    if len(paths) < 2:
        return False
    one, other = totals[paths[0]], totals[paths[1]]
    if abs(one - other) > max(TOLERANCE * max(one, other), NEAR_ZERO_W * len(elements)):
        return False
    keep = {each["id"] for each in json.loads((bundle / "nodes.json").read_bytes())["nodes"] if each["keep"]}
    off = {
        name
        for name, parts in nodes.items()
        if sum(w for w, _ in parts) <= elements[name]["off_w"] + NEAR_ZERO_W + sum(r for _, r in parts)
        and sum(w for w, _ in parts) < elements[name]["idle_w"]
    }
    running = sum(each["compute"] for name, each in elements.items() if name not in off)
    share = running / sum(each["compute"] for each in elements.values()) * 1_000_000
    kept = {"compute_ppm": share, "it_watts": max(one, other)}
    return set(elements) - off <= keep and all(
        kept[cap["unit"]] <= cap["value"] for cap in evidence["allowed"]
    )


if __name__ == "__main__":
    result = proven(Path(sys.argv[1]))
    sys.stdout.write("proven\n" if result else "not proven\n")
    sys.exit(0 if result else 1)

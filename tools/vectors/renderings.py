"""What people are shown: sentences stand in envelopes.json; here are the parts that can mislead."""

from __future__ import annotations

from tools.vectors.cast import Json


def cases() -> Json:
    """Return the content of rendering.json."""
    return {
        "visible": [
            {"text": text, "shown": shown}
            for text, shown in (
                ("plain text, “quotes”, 演習 🛑", "plain text, “quotes”, 演習 🛑"),
                ("two\nlines", "two<U+000A>lines"),
                ("a\ttab and \x1b[31mcolour", "a<U+0009>tab and <U+001B>[31mcolour"),
                ("a \u202eright-to-left override", "a <U+202E>right-to-left override"),
                ("zero\u200bwidth", "zero<U+200B>width"),
                ("soft\u00adhyphen", "soft<U+00AD>hyphen"),
                ("line\u2028separator", "line<U+2028>separator"),
                ("private \ue000 use", "private <U+E000> use"),
            )
        ],
        "watts": [
            {"watts": value, "shown": shown}
            for value, shown in (
                (0, "0 W"),
                (999, "999 W"),
                (1_000, "1 kW"),
                (8_150, "8.15 kW"),
                (32_100, "32.1 kW"),
                (999_400, "999 kW"),
                (999_500, "1 MW"),
                (1_234_567, "1.23 MW"),
                (75_000_000, "75 MW"),
                (2_000_000_000, "2 GW"),
            )
        ],
        "amounts": [
            {"value": value, "unit": unit, "shown": shown}
            for value, unit, shown in (
                (0, "compute_ppm", "0 % of rated compute"),
                (50_000, "compute_ppm", "5 % of rated compute"),
                (1, "compute_ppm", "0.0001 % of rated compute"),
                (999_999, "compute_ppm", "99.9999 % of rated compute"),
                (1_000_000, "compute_ppm", "100 % of rated compute"),
                (40_000_000, "it_watts", "40 MW of IT power"),
                (1, "site_watts", "1 W of site power"),
                (12_345_678, "it_watts", "12.345678 MW of IT power"),
                (12_345_679, "it_watts", "12.345679 MW of IT power"),
            )
        ],
    }

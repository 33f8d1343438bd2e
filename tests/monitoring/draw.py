"""Draws panels of the dashboard as SVG, from the data of a Prometheus: draw.py URL WINDOW DASHBOARD PICTURE."""

import json
import sys
import urllib.parse
import urllib.request
from xml.sax.saxutils import escape

PANELS = [
    "Resources by reason", "Stalled and reconciling", "Age of the oldest look",
    "Drift", "Time to effect", "Reconciles",
    "Requests by code", "Wait for a turn", "Breaker",
]
COLOURS = ["#3274d9", "#56a64b", "#e02f44", "#ff9830", "#8f3bb8", "#1f9e9e", "#b877d9", "#705da0"]
WIDTH, HEIGHT, COLUMNS, POINTS = 400, 210, 3, 100
LEFT, TOP, RIGHT = 52, 34, 12

url, window, dashboard, picture = sys.argv[1:]
# Prometheus is on this machine.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(path, **query):
    with opener.open(f"{url}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=30) as answer:
        return json.load(answer)["data"]["result"]


def series(target, start, end):
    query = target["expr"].replace("$__rate_interval", window).replace("$namespace", ".*").replace("$job", ".*")
    for found in get("query_range", query=query, start=start, end=end, step=(end - start) / POINTS):
        name = target["legendFormat"]
        for label, value in found["metric"].items():
            name = name.replace("{{%s}}" % label, value)
        # What is no number is a gap.
        values = [(at, float(value)) for at, value in found["values"]]
        yield name, [(at, value) for at, value in values if value == value]


def pieces(points, step):
    """Where there was nothing for a while, there is no line."""
    piece = []
    for point in points:
        if piece and point[0] - piece[-1][0] > step:
            yield piece
            piece = []
        piece.append(point)
    yield piece


def number(value):
    return f"{value:.3g}"


def draw(panel, x, y, start, end):
    lines = [line for target in panel["targets"] for line in series(target, start, end)]
    lines = [(name, points) for name, points in lines if points]
    top = max((value for _, points in lines for _, value in points), default=0) or 1
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - 58
    yield f'<g transform="translate({x},{y})"><rect width="{WIDTH - 8}" height="{HEIGHT - 8}" rx="4" fill="#fff" stroke="#ccd"/>'
    yield f'<text x="12" y="20" class="title">{escape(panel["title"])}</text>'
    for part in (0, 0.5, 1):
        at = TOP + height * (1 - part)
        yield f'<path d="M{LEFT} {at:.1f}h{width}" stroke="#e4e4ee"/><text x="{LEFT - 5}" y="{at + 4:.1f}" text-anchor="end">{number(top * part)}</text>'
    for part, seconds in ((0, 0), (1, end - start)):
        yield f'<text x="{LEFT + width * part:.0f}" y="{TOP + height + 15}" text-anchor="{"end" if part else "start"}">{seconds:.0f} s</text>'
    legend = LEFT
    for index, (name, points) in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        for piece in pieces(points, 1.5 * (end - start) / POINTS):
            at = [
                f"{LEFT + width * (time - start) / (end - start):.1f},{TOP + height * (1 - value / top):.1f}"
                for time, value in piece
            ]
            yield f'<polyline points="{" ".join(at)}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        length = 18 + 6 * len(name)
        row, place = divmod(legend - LEFT, width)
        if place + length > width:
            row, place = row + 1, 0
        yield f'<path d="M{LEFT + place} {TOP + height + 27 + 14 * row}h10" stroke="{colour}" stroke-width="3"/>'
        yield f'<text x="{LEFT + place + 14}" y="{TOP + height + 31 + 14 * row}">{escape(name)}</text>'
        legend = LEFT + row * width + place + length
    yield "</g>"


def main():
    with open(dashboard, encoding="utf-8") as file:
        panels = {panel["title"]: panel for panel in json.load(file)["panels"]}
    [found] = get("query", query="process_start_time_seconds")
    start, end = float(found["value"][1]), found["value"][0]
    rows = -(-len(PANELS) // COLUMNS)
    width, height = COLUMNS * WIDTH + 8, rows * HEIGHT + 8
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="Panels of the dashboard">',
        "<style>text{font:11px sans-serif;fill:#445}.title{font-weight:bold;font-size:13px;fill:#223}</style>",
        f'<rect width="{width}" height="{height}" fill="#f5f5fa"/>',
    ]
    for place, title in enumerate(PANELS):
        row, column = divmod(place, COLUMNS)
        svg += draw(panels[title], 8 + column * WIDTH, 8 + row * HEIGHT, start, end)
    with open(picture, "w", encoding="utf-8") as file:
        file.write("\n".join([*svg, "</svg>", ""]))


main()

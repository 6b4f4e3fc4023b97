# SPDX-License-Identifier: Apache-2.0
"""flamegraph.py [--title TEXT] [FOLDED-FILE] >out.svg

Folded stacks ("a;b;c 12" a line) to a flame graph that needs nothing else: an
SVG with titles on its boxes, click to zoom, and a search by Ctrl-F's text."""
import argparse
import html
import sys
import zlib

WIDTH, ROW, CHAR = 1200, 17, 6.6
PALETTE = {"kernel": (228, 120, 84), "lib": (212, 178, 72), "own": (110, 168, 96), "other": (150, 160, 175)}

SCRIPT = """
function zoom(e){var t=e.target.closest('g[data-x]');if(!t)return;var x=+t.dataset.x,w=+t.dataset.w;
document.querySelectorAll('g[data-x]').forEach(function(g){var gx=+g.dataset.x,gw=+g.dataset.w;
var a=(gx-x)/w*%d,b=gw/w*%d;var r=g.querySelector('rect'),s=g.querySelector('text');
var hide=b<0.2||a>=%d||a+b<=0;g.style.display=hide?'none':'';if(hide)return;
if(a<0){b+=a;a=0}if(a+b>%d)b=%d-a;r.setAttribute('x',a);r.setAttribute('width',b);
s.setAttribute('x',a+3);var n=Math.floor((b-6)/%s);s.textContent=n<3?'':g.dataset.n.slice(0,n)})}
""" % (WIDTH, WIDTH, WIDTH, WIDTH, WIDTH, CHAR)


class Node:
    """A frame in its place."""

    def __init__(self):
        self.value, self.kids = 0, {}


def build(lines):
    """The tree of folded lines; (root, lines that were none)."""
    root, bad = Node(), 0
    for line in lines:
        stack, _, count = line.strip().rpartition(" ")
        if not stack or not count.isdigit():
            bad += bool(line.strip())
            continue
        root.value += int(count)
        at = root
        for frame in stack.split(";"):
            at = at.kids.setdefault(frame, Node())
            at.value += int(count)
    return root, bad


def depth(node):
    return 1 + max((depth(k) for k in node.kids.values()), default=0)


def color(name):
    """By where the code is; a little different for each name."""
    kind = "kernel" if name.endswith("_[k]") else "lib" if name.endswith("_[l]") else "own" if "`" in name else "other"
    shade = zlib.crc32(name.encode()) % 40 - 20
    return "rgb(%d,%d,%d)" % tuple(max(0, min(255, c + shade)) for c in PALETTE[kind])


def boxes(node, x, level, top, whole, out):
    for name, kid in sorted(node.kids.items()):
        w = kid.value / whole * WIDTH
        if w >= 0.3:
            shown = name[:max(0, int((w - 6) / CHAR))] if w > 20 else ""
            y = top - level * ROW
            title = f"{name}: {kid.value} ({100 * kid.value / whole:.2f} %)"
            out.append(f'<g data-x="{x:.2f}" data-w="{w:.2f}" data-n="{html.escape(name, True)}"><title>{html.escape(title)}</title>'
                       f'<rect x="{x:.2f}" y="{y}" width="{w:.2f}" height="{ROW - 1}" fill="{color(name)}"/>'
                       f'<text x="{x + 3:.2f}" y="{y + 12}">{html.escape(shown)}</text></g>')
            boxes(kid, x, level + 1, top, whole, out)
        x += w


def render(lines, title):
    root, _ = build(lines)
    if not root.value:
        return None
    height = (depth(root) + 2) * ROW + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
           'font-family="monospace" font-size="11" onclick="zoom(event)">',
           f'<rect width="{WIDTH}" height="{height}" fill="#fff"/><text x="8" y="16" font-size="13">{html.escape(title)}'
           f' - {root.value} samples; click to zoom</text>']
    boxes(root, 0.0, 0, height - 2 * ROW, root.value, out)
    out.append(f'<g data-x="0" data-w="{WIDTH}" data-n="all"><rect x="0" y="{height - ROW}" width="{WIDTH}" height="{ROW - 1}" '
               f'fill="#ccc"/><text x="3" y="{height - 5}">all</text></g><script>{SCRIPT}</script></svg>')
    return "\n".join(out)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--title", default="flame graph")
    ap.add_argument("file", nargs="?")
    o = ap.parse_args()
    with (open(o.file, encoding="utf-8") if o.file else sys.stdin) as f:
        svg = render(f, o.title)
    if svg is None:
        sys.exit("flamegraph: no stacks in the input")
    print(svg)


if __name__ == "__main__":
    main()

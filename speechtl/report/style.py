"""The style sheet of the page, for light and dark screens and for print, and the colours of all pictures."""

# Okabe and Ito's palette, which colour-blind readers can distinguish.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5cc2", "#888888")

STYLE = """
:root { --text: #1c1f23; --pale: #6b7280; --rule: #e2e5e9; --ground: #fff; --soft: #f6f7f9;
  --sub: #fde2c4; --del: #fbd0d0; --ins: #d3e6fb; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e6ea; --pale: #9aa3af; --rule: #33383f; --ground: #15181c;
  --soft: #1d2126; --sub: #6a4413; --del: #6b2328; --ins: #1d4673; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 2rem 4rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, "Noto Sans", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.7rem; margin: 0; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .8rem; padding-bottom: .3rem; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.4rem 0 .5rem; }
p.note, .pale { color: var(--pale); } p.note { margin: .3rem 0; font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th { color: var(--pale); font-weight: 500; font-size: .85rem; }
th, td { text-align: right; padding: .25rem .7rem; white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; }
th.left, td.left { text-align: left; }
td { border-top: 1px solid var(--rule); }
td.wrap { white-space: normal; max-width: 28rem; overflow-wrap: anywhere; }
.key { --c: currentColor; color: var(--pale); font-size: .85rem; margin-right: .9rem; white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: 1.3em; border-top: 3px solid var(--c);
  vertical-align: middle; margin-right: .4em; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1.4rem 2rem; }
figure { margin: 0; } figcaption { font-weight: 600; font-size: .9rem; }
figure img { max-width: 100%; margin: 0 0 1rem; }
svg { width: 100%; display: block; } svg text { font-size: 11px; fill: var(--pale); }
.grid { stroke: var(--rule); } .mark { stroke: var(--pale); stroke-dasharray: 1 3; stroke-width: 1.5; }
.line { fill: none; stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round; }
.line.dashed { stroke-dasharray: 5 4; stroke-width: 1.4; }
circle { fill: var(--c); stroke: transparent; stroke-width: 12; }
.range { position: relative; width: 10rem; height: 1.1em; display: inline-block; background: var(--soft);
  vertical-align: middle; }
.range i { position: absolute; top: calc(50% - 1.5px); height: 3px; background: var(--c); opacity: .45; }
.range b { position: absolute; top: calc(50% - 4.5px); width: 9px; height: 9px; margin-left: -4.5px; border-radius: 50%;
  background: var(--c); }
.columns { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }
.bars td { border: 0; padding-top: .08rem; padding-bottom: .08rem; }
.bar { display: inline-block; width: 15rem; background: var(--soft); vertical-align: middle; }
.bar i { display: block; height: .8em; min-width: 1px; background: var(--c); }
.utterance { margin: 0 0 1.1rem; } .utterance > div:first-child { font-size: .85rem; }
.aligned { display: flex; flex-wrap: wrap; gap: .3rem .1rem; padding: .2rem .7rem; margin: .2rem 0;
  border-inline-start: 3px solid var(--c); }
.aligned span { display: inline-flex; flex-direction: column; align-items: center; padding: 0 .3rem; border-radius: 3px;
  line-height: 1.35; }
.aligned span :first-child { color: var(--pale); }
.S { background: var(--sub); } .D { background: var(--del); } .I { background: var(--ins); }
.S, .D, .I { padding: 0 .3rem; border-radius: 3px; }
.S :first-child, .D :first-child, .I :first-child { color: inherit !important; }
pre { background: var(--soft); padding: 1rem; overflow-x: auto; font-size: .85rem; line-height: 1.4; }
summary { cursor: pointer; }
@media print { body { max-width: none; } figure, .utterance { break-inside: avoid; } }
""" + "\n".join(f".c{number} {{ --c: {colour}; }}" for number, colour in enumerate(COLOURS))

"""How the page of a report looks, in light and in dark, and what little it does."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--line:#8884;--good:#1a7f37;--bad:#c62828;--warn:#9a6700;
--dim:#6b7280}
@media(prefers-color-scheme:dark){:root{--good:#56d364;--bad:#ff7b72;--warn:#e3b341;--dim:#9ca3af}}
body{font:15px/1.5 system-ui,sans-serif;margin:0}
main{max-width:70rem;margin:auto;padding:1rem}
table{border-collapse:collapse;width:100%;font-size:.9em}
th,td{text-align:left;vertical-align:top;padding:.15rem .5rem;border-top:1px solid var(--line)}
details.item{border:1px solid var(--line);border-left-width:.4rem;margin:.4rem 0;
padding:.3rem .7rem}
summary{cursor:pointer}
small{color:var(--dim)}
.ladder td{font-family:ui-monospace,monospace;font-size:.85em}
.ladder td:nth-child(-n+3){white-space:nowrap}
.ladder details td,.ladder details th{font-family:system-ui,sans-serif}
.proof{outline:2px solid var(--bad)}
.marked{outline:2px solid var(--bad);font-weight:600}
.verdict{font-weight:700}
.pass .verdict,label.pass{color:var(--good)}
.fail .verdict,label.fail{color:var(--bad)}
.warn .verdict,label.warn{color:var(--warn)}
.item.pass{border-left-color:var(--good)}
.item.fail{border-left-color:var(--bad)}
.item.warn{border-left-color:var(--warn)}
.counts label{margin-right:1rem}
"""

SCRIPT = """
for (const box of document.querySelectorAll('.counts input'))
  box.addEventListener('change', () => {
    for (const item of document.querySelectorAll('.item.' + box.value)) item.hidden = !box.checked
  })
"""

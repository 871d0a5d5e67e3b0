"""The human page: what is there and what happened last."""

import json
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from scrm.sandbox.ledger import Entry
from scrm.sandbox.quota import CHINA

if TYPE_CHECKING:
    from scrm.sandbox.server import SandboxServer

LAST_ENTRIES = 50
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<title>WeCom sandbox {corp}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }} td, th {{ text-align: left; padding: .2rem .6rem }}
tr {{ border-bottom: 1px solid #ddd }} code {{ overflow-wrap: anywhere }}
dl {{ display: flex; gap: 2rem; flex-wrap: wrap }} dt {{ color: #666 }} dd {{ margin: 0; font-size: 1.6rem }}
</style></head><body>
<h1>WeCom sandbox</h1>
<p>Corp <code>{corp}</code>, virtual time {now} (China).</p>
<dl>{counts}</dl>
<p>Connect the product: <code>{command}</code></p>
<h2>What happened last</h2>
<table><tr><th>#</th><th>time</th><th>what</th><th>data</th></tr>{rows}</table>
</body></html>"""


def render_page(server: "SandboxServer") -> str:
    """Return the page; it needs nothing from elsewhere and reloads itself."""
    summary, campaign = server.summary(), server.campaign()
    counts = {n: summary[n] for n in ("staff", "customers", "follows", "tags", "groups")}
    counts |= campaign | {f"callbacks {n}": count for n, count in summary["callbacks"].items()}
    counts |= {
        "handed over": server.ledger.count("handover.done"),
        "archived": server.ledger.count("archive.kept"),
        "app messages": server.ledger.count("app_message.told"),
    }
    entries = server.entries()[-LAST_ENTRIES:]
    return PAGE.format(
        corp=escape(server.credentials.corp_id),
        now=_show_time(server.clock.now()),
        counts="".join(f"<div><dt>{n}</dt><dd>{count}</dd></div>" for n, count in counts.items()),
        command=escape(server.credentials.create_corp_command(server.base_url)),
        rows="".join(_render_entry(entry) for entry in reversed(entries)),
    )


def _render_entry(entry: Entry) -> str:
    data = escape(json.dumps(entry.data, ensure_ascii=False)[:300])
    kind = escape(entry.kind)
    return (
        f"<tr><td>{entry.number}</td><td>{_show_time(entry.at)}</td>"
        f"<td>{kind}</td><td><code>{data}</code></td></tr>"
    )


def _show_time(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC).astimezone(CHINA)
    return moment.strftime("%Y-%m-%d %H:%M:%S")

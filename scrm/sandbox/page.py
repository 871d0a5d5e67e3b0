"""The human page: what is there, what was asked, what happened last, and what is to go wrong."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from scrm.sandbox.callbacks import Callbacks
from scrm.sandbox.endpoints import ENDPOINTS
from scrm.sandbox.faults import Faults
from scrm.sandbox.garbling import FORMS
from scrm.sandbox.ledger import Entry, Ledger
from scrm.sandbox.quota import CHINA

if TYPE_CHECKING:
    from scrm.sandbox.server import SandboxServer

LAST_ENTRIES = 50
HOUR = 3600
DAY = 24 * HOUR
# button → the control and its JSON
MOVES: dict[str, tuple[str, dict[str, object]]] = {
    "forward a minute": ("clock/advance", {"seconds": 60}),
    "forward an hour": ("clock/advance", {"seconds": HOUR}),
    "forward a day": ("clock/advance", {"seconds": DAY}),
}
TOKEN_TROUBLES: dict[str, tuple[str, dict[str, object]]] = {
    "tokens expire (42001)": ("faults/expire_tokens", {}),
    "tokens are void (40014)": ("faults/void_tokens", {}),
    "tokens are rejected 20 times": ("faults/reject_tokens", {"times": 20}),
    "no more faults": ("faults/clear", {}),
}
CALLBACK_TROUBLES: dict[str, tuple[str, dict[str, object]]] = {
    "lose the next": ("callbacks/drop_next", {}),
    "send the next twice": ("callbacks/duplicate_next", {}),
    "swap the next two": ("callbacks/reorder_next", {}),
    "delay the next an hour": ("callbacks/delay_next", {"seconds": HOUR}),
    "take the next answer for lost": ("callbacks/repeat_next", {}),
    "send the next without State": ("callbacks/strip_next", {"element": "State"}),
    "outage: hold back": ("callbacks/begin_outage", {}),
    "outage: lose": ("callbacks/begin_outage", {"lose": True}),
    "end of the outage": ("callbacks/end_outage", {}),
}
# fault → the name of its value, and what it is when nothing is typed
FAULT_VALUES: dict[str, tuple[str, str]] = {
    "lose_answer": ("", ""),
    "drop_request": ("", ""),
    "reset_connection": ("", ""),
    "fail": ("errcode", "45009"),
    "http_error": ("status", "502"),
    "delay": ("seconds", "6"),
    "garble": ("form", "html"),
    "reject_tokens": ("", ""),
}

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; --accent: #2a6bd4 }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 76rem; padding: 0 1rem }
h1 { margin: 0 } h2 { margin: 2rem 0 .4rem; font-size: 1.15rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
td, th { text-align: left; padding: .2rem .6rem; vertical-align: top }
th { color: var(--soft); font-weight: normal } tr { border-bottom: 1px solid var(--line) }
code { overflow-wrap: anywhere; font-size: .9em }
dl { display: flex; gap: .4rem 2rem; flex-wrap: wrap } dt { color: var(--soft) }
dd { margin: 0; font-size: 1.5rem } time { font-size: 1.5rem; white-space: nowrap }
nav, form { display: flex; gap: .4rem; flex-wrap: wrap; align-items: center; margin: .5rem 0 }
button { border: 1px solid var(--accent); border-radius: .3rem; padding: .2rem .7rem; font: inherit;
  background: none; color: inherit; cursor: pointer } button:hover { background: var(--accent);
  color: #fff } input, select { font: inherit; padding: .15rem .3rem }
input[name=path] { width: 22rem } input[name=times] { width: 4rem } input[name=value] { width: 9rem }
.num { text-align: right } .soft { color: var(--soft) } #trouble { color: #d33 }
"""
SCRIPT = """
const trouble = document.querySelector("#trouble");
async function refresh() {
  if (document.hidden) return;
  try {
    const text = await (await fetch("/")).text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      part.innerHTML = fresh.getElementById(part.id).innerHTML;
    }
    trouble.textContent = "";
  } catch (error) {
    trouble.textContent = "The sandbox does not answer.";
  }
}
async function post(path, body) {
  const answer = await fetch("/sandbox/" + path, {method: "POST", body: JSON.stringify(body)});
  await refresh();
  if (!answer.ok) trouble.textContent = (await answer.json()).error;
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-post]");
  if (button) post(button.dataset.post, JSON.parse(button.dataset.body));
});
document.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target, option = form.fault.selectedOptions[0];
  const body = {path: form.path.value.trim() || "*", times: Number(form.times.value)};
  const value = form.value.value.trim() || option.dataset.value;
  if (option.dataset.name) {
    body[option.dataset.name] = option.dataset.name === "form" ? value : Number(value);
  }
  post("faults/" + form.fault.value, body);
});
setInterval(refresh, 3000);
"""


def render_page(server: "SandboxServer") -> str:
    """Return the page; it needs nothing from elsewhere and renews itself."""
    corp_id = escape(server.credentials.corp_id)
    command = escape(server.credentials.create_corp_command(server.base_url))
    now = f"<time>{_show_time(server.clock.now())}</time>"
    parts = [
        f"<h1>WeCom sandbox</h1><p>Corp <code>{corp_id}</code> <span id=trouble></span></p>",
        f"<nav>{_live('now', now)} <span class=soft>virtual</span>{_render_buttons(MOVES)}</nav>",
        _live("counts", _render_counts(server)),
        f"<p class=soft>Connect the product: <code>{command}</code></p>",
        "<h2>Faults in force</h2>",
        _live("faults", _render_faults(server.faults)),
        _render_fault_form(),
        f"<nav>{_render_buttons(TOKEN_TROUBLES)}</nav>",
        "<h2>Callbacks</h2>",
        _live("callbacks", _render_callbacks(server.callbacks)),
        f"<nav>{_render_buttons(CALLBACK_TROUBLES)}</nav>",
        "<h2>Calls</h2>",
        _live("calls", _render_calls(server.ledger)),
        "<h2>What happened last</h2>",
        _live("ledger", _render_ledger(server.entries()[-LAST_ENTRIES:])),
    ]
    head = f'<meta charset="utf-8"><title>WeCom sandbox {corp_id}</title><style>{STYLE}</style>'
    body = f'{"".join(parts)}<script type="module">{SCRIPT}</script>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def _render_counts(server: "SandboxServer") -> str:
    summary = server.summary()
    counts = {n: summary[n] for n in ("staff", "customers", "follows", "tags", "groups")}
    counts |= {name.replace("_", " "): count for name, count in server.campaign().items()}
    counts |= {f"callbacks {n}": count for n, count in summary["callbacks"].items()}
    counts |= {
        "handed over": server.ledger.count("handover.done"),
        "archived": server.ledger.count("archive.kept"),
        "app messages": server.ledger.count("app_message.told"),
    }
    rows = (f"<div><dt>{escape(n)}</dt><dd>{count}</dd></div>" for n, count in counts.items())
    return f"<dl>{''.join(rows)}</dl>"


def _render_faults(faults: Faults) -> str:
    rows = [
        [str(row["kind"]), str(row["path"]), str(row["value"]), str(row["times"])]
        for row in faults.in_force()
    ]
    return _render_table(["fault", "endpoint", "value", "times left"], rows) or _nothing()


def _render_fault_form() -> str:
    options = "".join(
        f'<option data-name="{name}" data-value="{value}">{fault}</option>'
        for fault, (name, value) in FAULT_VALUES.items()
    )
    forms = ", ".join(sorted(FORMS))
    known = "".join(f'<option value="{path}">' for path in sorted(ENDPOINTS))
    paths = f"<datalist id=paths>{known}</datalist>"
    return (
        f"<form><select name=fault>{options}</select>"
        f'<input name=path list=paths placeholder="endpoint, * is any">{paths}'
        f'<input name=value placeholder="value" title="errcode, status, seconds, or: {forms}">'
        "<input name=times type=number min=1 value=1> times <button>order</button></form>"
    )


def _render_callbacks(callbacks: Callbacks) -> str:
    url = escape(callbacks.url) or "nobody"
    disturbed = ", ".join(f"{name} {count}" for name, count in callbacks.in_force().items())
    return f"<p>Told to <code>{url}</code>; disturbed: {disturbed or 'nothing'}</p>"


def _render_calls(ledger: Ledger) -> str:
    refusals = ledger.refusals()
    rows = [
        [path, str(count), _show_refusals(refusals.get(path, {}))]
        for path, count in sorted(ledger.calls().items())
    ]
    return _render_table(["endpoint", "calls", "refused (errcode × times)"], rows) or _nothing()


def _show_refusals(refused: Mapping[str, int]) -> str:
    return ", ".join(f"{errcode} × {times}" for errcode, times in sorted(refused.items()))


def _render_ledger(entries: list[Entry]) -> str:
    if not entries:
        return _nothing()
    rows = (
        f"<tr><td class=num>{entry.number}</td><td>{_show_time(entry.at)}</td>"
        f"<td>{escape(entry.kind)}</td><td><code>{_show_data(entry)}</code></td></tr>"
        for entry in reversed(entries)
    )
    return f"<table><tr><th>#<th>time<th>what<th>data</tr>{''.join(rows)}</table>"


def _show_data(entry: Entry) -> str:
    return escape(json.dumps(entry.data, ensure_ascii=False)[:300])


def _render_table(names: Iterable[str], rows: list[list[str]]) -> str:
    """Return a table, or nothing for no rows."""
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _render_buttons(buttons: Mapping[str, tuple[str, Mapping[str, object]]]) -> str:
    return "".join(
        f'<button data-post="{path}" data-body="{escape(json.dumps(body))}">{label}</button>'
        for label, (path, body) in buttons.items()
    )


def _live(name: str, content: str) -> str:
    """Return a part that is renewed while people look."""
    return f"<div id={name} data-live>{content}</div>"


def _nothing() -> str:
    return "<p class=soft>none</p>"


def _show_time(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC).astimezone(CHINA)
    return moment.strftime("%Y-%m-%d %H:%M:%S")

"""The plain pages around signing in, as text. Pure; everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from watchkeeper.access.model import Account, Principal
from watchkeeper.access.passwords import SHORTEST

FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Watchkeeper</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/app.css"></head>
<body class="plain"><main id="main" class="signin"><h1>{heading}</h1>{body}</main></body></html>"""

RULE = f"At least {SHORTEST} characters. Three or four unrelated words are easy to keep."


def signin(where: str, problem: str, name: str, *, accounts: bool, fresh: bool) -> str:
    """The sign-in page: by name where there are accounts, by token always."""
    hidden = f'<input type="hidden" name="next" value="{escape(where)}">'
    token = _field("token", "Token", "password", "off", focus=not accounts)
    hint = (
        '<p class="muted">Nobody can sign in yet. <code>wk serve</code> printed a link that makes '
        "the first admin.</p>"
        if fresh
        else ""
    )
    by_token = (
        f"<details{'' if accounts else ' open'}><summary>Use a token instead</summary>"
        f'<form method="post" action="/signin" class="signin">{hidden}{token}'
        '<p><button class="btn">Sign in with the token</button></p></form></details>'
    )
    return _frame(
        "Sign in",
        "Sign in to Watchkeeper",
        _note(problem)
        + hint
        + (
            f'<form method="post" action="/signin" class="signin">{hidden}'
            + _field("name", "User name", "text", "username", name, focus=accounts and not name)
            + _field("password", "Password", "password", "current-password", focus=bool(name))
            + '<p><button class="btn pri">Sign in</button></p></form>'
            if accounts
            else ""
        )
        + by_token,
    )


def setup(key: str, problem: str, fields: Mapping[str, str]) -> str:
    """The page that makes the first admin."""
    body = (
        '<p class="muted">You are the first. This account is an admin: it adds all others.</p>'
        + _note(problem)
        + '<form method="post" action="/setup" class="signin">'
        + f'<input type="hidden" name="key" value="{escape(key)}">'
        + _field("name", "User name", "text", "username", fields.get("name", ""), focus=True)
        + _field("display_name", "Your name", "text", "name", fields.get("display_name", ""))
        + _field("email", "E-mail address", "email", "email", fields.get("email", ""))
        + _new_password()
        + '<p><button class="btn pri">Make the account</button></p></form>'
    )
    return _frame("Set up", "Set up Watchkeeper", body)


def setup_gone() -> str:
    """For a set-up link that opens nothing."""
    return _frame(
        "Set up",
        "This link opens nothing",
        '<p>It was used, or is too old.</p><p class="muted">While there is neither an account nor '
        "a token, <code>wk serve</code> prints a new link when it starts. Later, an admin adds "
        'people, or <code>wk user add</code> on the server.</p><p><a class="btn" href="/signin">'
        "Sign in</a></p>",
    )


def account(found: Account, sessions: int, problem: str) -> str:
    """One's own account."""
    roles = "".join(
        f"<li>{escape(role.value)} for team {escape(team)}</li>"
        for team, role in found.team_roles.items()
    )
    browsers = "this browser only" if sessions <= 1 else f"{sessions} browsers"
    mail = f" · {escape(found.email)}" if found.email else ""
    body = (
        f'<p class="muted">Signs in as {escape(found.name)}{mail}</p>'
        f"<ul><li>{escape(found.role.value)} everywhere</li>{roles}</ul>{_note(problem)}"
        "<h2>Change the password</h2>"
        '<form method="post" action="/account/password" class="signin">'
        f'<input type="hidden" name="name" autocomplete="username" value="{escape(found.name)}">'
        + _field("old", "Present password", "password", "current-password")
        + _new_password()
        + '<p><button class="btn pri">Change</button></p></form>'
        + f'<h2>Sign-ins</h2><p class="muted">You are signed in with {browsers}. Changing the '
        "password signs out all others.</p>"
        '<form method="post" action="/account/signout-everywhere">'
        '<p><button class="btn">Sign out everywhere</button> '
        '<a class="btn" href="/">All objectives</a></p></form>'
    )
    return _frame("Account", found.display_name, body)


def no_account(principal: Principal) -> str:
    """For those who came with a token or as nobody in particular."""
    scopes = ", ".join(sorted(principal.scopes)) or "nothing"
    return _frame(
        "Account",
        principal.name,
        f"<p>This is no person's account. Open to it: {escape(scopes)}.</p>"
        '<p><a class="btn" href="/">All objectives</a></p>',
    )


def _new_password() -> str:
    return _field("password", "New password", "password", "new-password", hint=RULE) + _field(
        "again", "New password again", "password", "new-password"
    )


def _field(
    name: str,
    label: str,
    kind: str,
    autocomplete: str,
    value: str = "",
    *,
    focus: bool = False,
    hint: str = "",
) -> str:
    needed = "" if name in ("display_name", "email") else " required"
    about = f' aria-describedby="{name}-hint"' if hint else ""
    below = f'<br><span class="muted small" id="{name}-hint">{escape(hint)}</span>' if hint else ""
    return (
        f'<p><label for="{name}">{label}</label><br><input id="{name}" name="{name}" type="{kind}" '
        f'autocomplete="{autocomplete}" autocapitalize="none" spellcheck="false" maxlength="256" '
        f'value="{escape(value)}"{needed}{about}{" autofocus" if focus else ""}>{below}</p>'
    )


def _note(problem: str) -> str:
    return f'<p class="note bad" role="alert">{escape(problem)}</p>' if problem else ""


def _frame(title: str, heading: str, body: str) -> str:
    return FRAME.format(title=escape(title), heading=escape(heading), body=body)

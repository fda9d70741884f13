"""Owns the page behind a sign-in link where the web UI was not built: it spends the link when a button is pressed.

Scanners of mails open links, and some run scripts; none of them presses.
"""

from typing import Final

from litestar import MediaType, Response, get

_HTML: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in to LensAI</title>
<script src="/sign-in.js" defer></script>
</head>
<body>
<main>
<h1>LensAI</h1>
<form id="link" hidden><button>Sign in</button></form>
<form id="ask" hidden>
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="email" required>
<button>Send me a link</button>
</form>
<p id="said" role="status"></p>
<noscript><p>Signing in needs JavaScript.</p></noscript>
</main>
</body>
</html>
"""

_SCRIPT: Final = """"use strict";
const token = new URLSearchParams(location.hash.slice(1)).get("token");
// The token shall stay in no history.
history.replaceState(null, "", location.pathname);
const said = document.getElementById("said");

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return [answer.ok, await answer.json()];
}

function upon(form, act) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    form.hidden = true;
    try {
      await act();
    } catch {
      form.hidden = false;
      said.textContent = "The control plane does not answer; try again.";
    }
  });
}

if (token) {
  upon(document.getElementById("link"), async () => {
    const [ok, body] = await post("/v1/auth/sessions", { token });
    said.textContent = ok ? `You are signed in as ${body.name}.` : body.detail;
  });
} else {
  upon(document.getElementById("ask"), async () => {
    const [ok, body] = await post("/v1/auth/links", { email: document.getElementById("email").value });
    said.textContent = ok ? body.message : body.detail;
  });
}
"""

_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def sign_in_page_response() -> Response[str]:
    """The page; it holds nothing of anybody."""
    return Response(_HTML, media_type=MediaType.HTML, headers=_HEADERS)


@get("/sign-in.js", public=True, include_in_schema=False)
async def sign_in_script() -> Response[str]:
    """Its script, as its own resource: the page allows no other."""
    return Response(_SCRIPT, media_type="text/javascript", headers=_HEADERS)

"""Owns the first minute: the file, the project and the key of a new gateway, and what to copy where.

An empty configuration serves nobody, so `lensai up` makes one key; it is shown once.
"""

import secrets
from pathlib import Path

from gateway import private_file
from gateway.cli.keys import RandomText, add_key, mint, read_config, toml_block
from gateway.policy_toml import read_callers

DEFAULT_PROJECT = "default"
_KEY_NAME = "first key"

# Examples are `#` and no space, so that uncommenting them is deleting one character. A test does.
CONFIG = """\
# What this gateway serves, to whom, and at what price. It is read again when it changes; a mistake in it is
# reported with its line and changes nothing. The fields: docs/reference/policy.md

# How the process runs: every setting of docs/reference/settings.md. Read at the start only; the environment wins.
[settings]
#listen_port = 8080

# Who pays. Every key belongs to a project.
[projects.default]
name = "Default"

# Secrets of providers, used in place of the caller's key. A provider's usual variable (OPENAI_API_KEY,
# ANTHROPIC_API_KEY, GEMINI_API_KEY …) is used without any table; one named here comes first.
#[credentials.openai]
#env = "MY_OPENAI_KEY"
#[credentials.vllm-eu]
#file = "vllm-eu.key"

# Where requests go: /<name>/… Each provider LensAI knows is there already, under its own name.
#[upstreams.azure]
#resources = ["my-resource"]
#[upstreams.vllm-eu]
#origin = "https://vllm.example:8000"
#models = { fast = "llama-3.1-8b-instant" }

# Prices that differ from the list: USD per million tokens, or a factor on the list price.
#[[price_overrides]]
#upstream = "vllm-eu"
#model = "*"
#rates = { input_text = 0.10, output_text = 0.30 }
#[[price_overrides]]
#upstream = "openai"
#model = "*"
#multiplier = 0.85

# Who may call. `lensai keys create`, `list` and `revoke` edit these tables; only hashes of keys are held.
"""


_PLACEHOLDER = "YOUR-LENSAI-KEY"
_NO_NEWS = f"Put a key in place of {_PLACEHOLDER}; `lensai keys create --project {DEFAULT_PROJECT}` makes another."

# How each SDK joins its base URL is tested against the SDKs themselves (test_first_start.py).
_LINES = """\
Change the base URL and nothing else; your provider keys stay where they are.

# any SDK: the environment
export OPENAI_BASE_URL="{key_url}/openai/v1"
export ANTHROPIC_BASE_URL="{key_url}/anthropic"
export GOOGLE_GEMINI_BASE_URL="{key_url}/gemini"

# Python
OpenAI(base_url="{key_url}/openai/v1")
Anthropic(base_url="{key_url}/anthropic")
genai.Client(http_options={"base_url": "{key_url}/gemini"})

# Node
new OpenAI({ baseURL: "{key_url}/openai/v1" })
new Anthropic({ baseURL: "{key_url}/anthropic" })
new GoogleGenAI({ httpOptions: { baseUrl: "{key_url}/gemini" } })

# curl
curl {key_url}/openai/v1/chat/completions \\
  -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \\
  -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'

Where the gateway holds the provider's key, the LensAI key can be the SDK's api_key instead:
OpenAI(base_url="{url}/openai/v1", api_key="{key}")
"""


def ensure_first_key(config: Path, *, random_text: RandomText = secrets.token_urlsafe) -> str | None:
    """Makes sure that the file exists and has a key: the new key's token, or None if it had one.

    Creates the directory and the file for their owner alone. Raises `PolicyError` or `KeysError` if the file is
    there but cannot be read as projects and keys, `OSError` if it cannot be written.
    """
    text = read_config(config) if config.exists() else ""
    projects, keys = read_callers(text, source=config.name)
    if keys:
        return None
    minted = mint(projects[0].id if projects else DEFAULT_PROJECT, name=_KEY_NAME, random_text=random_text)
    if not text.strip():
        private_file.make_directory(config.parent)
        private_file.replace(config, (CONFIG + toml_block(minted.key)).encode())
    else:
        if not projects:
            private_file.append(config, f"\n[projects.{DEFAULT_PROJECT}]\n".encode())
        add_key(config, minted)
    return minted.token


def render_welcome(base_url: str, token: str | None) -> str:
    """What to copy for each SDK. `base_url` is scheme://host:port; None stands for a key made before.

    Every line carries the key in its path, so that nothing but the base URL changes: the SDK keeps sending
    its provider's own key.
    """
    news = f"Your key is {token}\nIt is shown this once: only its hash is kept." if token else _NO_NEWS
    lines = (
        _LINES.replace("{key_url}", "{url}/k/{key}").replace("{url}", base_url).replace("{key}", token or _PLACEHOLDER)
    )
    return f"LensAI is at {base_url}\n\n{news}\n\n{lines}"

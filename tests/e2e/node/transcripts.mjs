// Makes calls through the official Node SDKs and prints what they gave, as one JSON object: name -> items in order.
//
// The clients read their own environment variables and are changed in nothing else:
// OPENAI_BASE_URL, OPENAI_API_KEY, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY.
// Run it once against the sandbox and once against a gateway in front of it: the outputs must be equal.

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

// Answers must not depend on when or how often they are asked for; a retry would hide a refusal.
const OPTIONS = { maxRetries: 0, defaultHeaders: { "x-sandbox-frozen": "true" } };
const QUESTION = "Name three things that never sleep.";
const MESSAGES = [{ role: "user", content: QUESTION }];
const SCHEMA = { type: "object", properties: { text: { type: "string" } }, required: ["text"] };

const openai = new OpenAI(OPTIONS);
const anthropic = new Anthropic(OPTIONS);

const chat = (more) => openai.chat.completions.create({ model: "gpt-4o-mini", messages: MESSAGES, ...more });
const message = (more) =>
  anthropic.messages.create({ model: "claude-haiku-4-5", max_tokens: 64, messages: MESSAGES, ...more });

const CALLS = {
  "openai.chat": () => chat(),
  "openai.chat.stream": () => chat({ stream: true }),
  "openai.chat.stream.usage": () => chat({ stream: true, stream_options: { include_usage: true } }),
  "openai.chat.tool.stream": () =>
    chat({
      stream: true,
      tool_choice: "required",
      tools: [{ type: "function", function: { name: "remember", parameters: SCHEMA } }],
    }),
  "openai.chat.stream.accumulated": () =>
    openai.chat.completions.stream({ model: "gpt-4o-mini", messages: MESSAGES }).finalChatCompletion(),
  "openai.responses": () => openai.responses.create({ model: "gpt-5-mini", input: QUESTION }),
  "openai.responses.stream": () => openai.responses.create({ model: "gpt-5-mini", input: QUESTION, stream: true }),
  "openai.embeddings": () =>
    openai.embeddings.create({ model: "text-embedding-3-small", input: QUESTION, dimensions: 16 }),
  "openai.models": () => openai.models.list(),
  "anthropic.messages": () => message(),
  "anthropic.messages.stream": () => message({ stream: true }),
  "anthropic.messages.thinking.stream": () =>
    message({ stream: true, max_tokens: 2048, thinking: { type: "enabled", budget_tokens: 1024 } }),
  "anthropic.messages.tool.stream": () =>
    message({
      stream: true,
      tool_choice: { type: "any" },
      tools: [{ name: "remember", input_schema: SCHEMA }],
    }),
  "anthropic.messages.stream.accumulated": () =>
    anthropic.messages.stream({ model: "claude-haiku-4-5", max_tokens: 64, messages: MESSAGES }).finalMessage(),
  "anthropic.messages.count_tokens": () =>
    anthropic.messages.countTokens({ model: "claude-haiku-4-5", messages: MESSAGES }),
  "anthropic.models": () => anthropic.models.list(),
};

// A stream or a page gives its items, anything else is the one item. The request id is the header's, not the body's.
async function items(given) {
  if (typeof given[Symbol.asyncIterator] !== "function") return [plain(given)];
  const collected = [];
  for await (const item of given) collected.push(plain(item));
  return collected;
}

function plain(item) {
  const { _request_id, ...members } = JSON.parse(JSON.stringify(item));
  return members;
}

const transcripts = {};
for (const [name, call] of Object.entries(CALLS)) transcripts[name] = await items(await call());
process.stdout.write(JSON.stringify(transcripts, null, 1) + "\n");

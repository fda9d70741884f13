/** What to paste where, to send an application's calls through the gateway. */

export type Snippet = { id: string; name: string; language: string; text: (base: string, key: string) => string };

const MESSAGES = `[{"role": "user", "content": "Say hello in three languages."}]`;

export const SNIPPETS: readonly Snippet[] = [
  {
    id: "openai-python",
    name: "OpenAI",
    language: "Python",
    text: (base, key) => `from openai import OpenAI

client = OpenAI(
    base_url="${base}/openai/v1",
    api_key="${key}",
)
answer = client.chat.completions.create(
    model="gpt-4o-mini",
    messages=${MESSAGES},
)
print(answer.choices[0].message.content)`,
  },
  {
    id: "openai-node",
    name: "OpenAI",
    language: "Node",
    text: (base, key) => `import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "${base}/openai/v1",
  apiKey: "${key}",
});
const answer = await client.chat.completions.create({
  model: "gpt-4o-mini",
  messages: [{ role: "user", content: "Say hello in three languages." }],
});
console.log(answer.choices[0].message.content);`,
  },
  {
    id: "anthropic-python",
    name: "Anthropic",
    language: "Python",
    text: (base, key) => `from anthropic import Anthropic

client = Anthropic(
    base_url="${base}/anthropic",
    api_key="${key}",
)
answer = client.messages.create(
    model="claude-haiku-4-5",
    max_tokens=200,
    messages=${MESSAGES},
)
print(answer.content[0].text)`,
  },
  {
    id: "anthropic-node",
    name: "Anthropic",
    language: "Node",
    text: (base, key) => `import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({
  baseURL: "${base}/anthropic",
  apiKey: "${key}",
});
const answer = await client.messages.create({
  model: "claude-haiku-4-5",
  max_tokens: 200,
  messages: [{ role: "user", content: "Say hello in three languages." }],
});
console.log(answer.content[0].text);`,
  },
  {
    id: "azure-python",
    name: "Azure OpenAI",
    language: "Python",
    text: (base, key) => `from openai import AzureOpenAI

client = AzureOpenAI(
    azure_endpoint="${base}/azure/YOUR-RESOURCE",
    api_key="${key}",
    api_version="2025-04-01-preview",
)
answer = client.chat.completions.create(
    model="YOUR-DEPLOYMENT",
    messages=${MESSAGES},
)
print(answer.choices[0].message.content)`,
  },
  {
    id: "azure-node",
    name: "Azure OpenAI",
    language: "Node",
    text: (base, key) => `import { AzureOpenAI } from "openai";

const client = new AzureOpenAI({
  endpoint: "${base}/azure/YOUR-RESOURCE",
  apiKey: "${key}",
  apiVersion: "2025-04-01-preview",
});
const answer = await client.chat.completions.create({
  model: "YOUR-DEPLOYMENT",
  messages: [{ role: "user", content: "Say hello in three languages." }],
});
console.log(answer.choices[0].message.content);`,
  },
  {
    id: "curl",
    name: "curl",
    language: "Shell",
    text: (base, key) => `curl ${base}/openai/v1/chat/completions \\
  -H "authorization: Bearer ${key}" \\
  -H "content-type: application/json" \\
  -d '{"model": "gpt-4o-mini", "messages": ${MESSAGES}}'`,
  },
  {
    id: "langchain",
    name: "LangChain",
    language: "Python",
    text: (base, key) => `from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model="gpt-4o-mini",
    base_url="${base}/openai/v1",
    api_key="${key}",
)
print(model.invoke("Say hello in three languages.").content)`,
  },
  {
    id: "ai-sdk",
    name: "Vercel AI SDK",
    language: "Node",
    text: (base, key) => `import { createOpenAI } from "@ai-sdk/openai";
import { generateText } from "ai";

const openai = createOpenAI({
  baseURL: "${base}/openai/v1",
  apiKey: "${key}",
});
const { text } = await generateText({
  model: openai("gpt-4o-mini"),
  prompt: "Say hello in three languages.",
});
console.log(text);`,
  },
  {
    id: "environment",
    name: "No code at all",
    language: "Environment",
    text: (base, key) => `# Every program that uses the official packages goes through the gateway, unchanged.
export OPENAI_BASE_URL="${base}/openai/v1"
export OPENAI_API_KEY="${key}"
export ANTHROPIC_BASE_URL="${base}/anthropic"
export ANTHROPIC_API_KEY="${key}"
export GOOGLE_GEMINI_BASE_URL="${base}/gemini"
export GEMINI_API_KEY="${key}"`,
  },
];

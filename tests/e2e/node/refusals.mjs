// One call of an official SDK that is refused: `node refusals.mjs <module> <origin> <whole|stream>` prints, as JSON, what
// it threw. Nothing is set but the address: retries are the SDK's own.
const [module, origin, how] = process.argv.slice(2);
const SDK = (await import(module)).default;
const isOpenAI = module === "openai";
const client = new SDK({ apiKey: "lk-x", baseURL: isOpenAI ? `${origin}/v1` : origin });
const resource = isOpenAI ? client.chat.completions : client.messages;
const stream = how === "stream";
try {
  const answer = await resource.create({ model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hello" }], stream });
  if (stream) for await (const _ of answer);
  console.log(JSON.stringify({ name: "none" }));
} catch (error) {
  const quota = error.headers?.get("x-lensai-quota") ?? null;
  console.log(JSON.stringify({ name: error.constructor.name, status: error.status ?? null, message: error.message, quota }));
}

import { api } from "@/api/client";
import { usePages } from "@/api/pages";
import type { CredentialOut, PriceOut, UpstreamOut } from "@/api/schema";

export const CREDENTIALS = "/v1/credentials";
export const UPSTREAMS = "/v1/upstreams";
export const PRICES = "/v1/price-overrides";

/** Names of the gateway's table of providers (gateway/providers.py; a test compares them) as people write them. */
export const PROVIDERS: Record<string, string> = {
  openai: "OpenAI",
  azure: "Azure OpenAI",
  anthropic: "Anthropic",
  gemini: "Google Gemini",
  vertex: "Google Vertex AI",
  bedrock: "AWS Bedrock",
  "bedrock-mantle": "AWS Bedrock Mantle",
  groq: "Groq",
  mistral: "Mistral",
  deepseek: "DeepSeek",
  xai: "xAI",
  openrouter: "OpenRouter",
  together: "Together",
  cohere: "Cohere",
  perplexity: "Perplexity",
  cerebras: "Cerebras",
  moonshot: "Moonshot",
  zai: "Z.ai",
  voyage: "Voyage",
  ollama: "Ollama",
  vllm: "vLLM",
  llamacpp: "llama.cpp",
  "openai-compatible": "Any that speaks OpenAI's API",
};

/** What prices are stated of, as a rule; the API knows more of them. */
export const BUCKETS = ["input_text", "output_text", "output_reasoning", "cache_read_text", "cache_write", "cache_write_5m", "cache_write_1h", "input_audio", "output_audio", "input_image", "output_image", "web_searches"];

export function providerName(name: string): string {
  return PROVIDERS[name] ?? name;
}

export function useCredentials() {
  return usePages<CredentialOut>(["get", CREDENTIALS], async (cursor) => (await api.GET("/v1/credentials", { params: { query: { cursor } } })).data!);
}

export function useUpstreams() {
  return usePages<UpstreamOut>(["get", UPSTREAMS], async (cursor) => (await api.GET("/v1/upstreams", { params: { query: { cursor } } })).data!);
}

export function usePrices() {
  return usePages<PriceOut>(["get", PRICES], async (cursor) => (await api.GET("/v1/price-overrides", { params: { query: { cursor } } })).data!);
}

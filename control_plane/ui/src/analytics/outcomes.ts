import type { Tone } from "@/design/Badge";

const WORDS: Record<string, [string, Tone]> = {
  ok: ["OK", "good"],
  refused: ["Refused", "warn"],
  upstream_error: ["Provider failed", "bad"],
  client_gone: ["Caller left", "neutral"],
  cancelled: ["Cancelled", "neutral"],
};

/** An outcome that this page does not know yet is told by its own name. */
export function outcomeWords(outcome: string): string {
  return WORDS[outcome]?.[0] ?? outcome.replaceAll("_", " ");
}

export function outcomeTone(outcome: string): Tone {
  return WORDS[outcome]?.[1] ?? "bad";
}

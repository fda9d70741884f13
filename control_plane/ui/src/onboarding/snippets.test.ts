import { expect, test } from "vitest";
import { SNIPPETS } from "./snippets";

test.each(SNIPPETS.map((snippet) => [snippet.id, snippet] as const))("%s names the gateway and the key", (_, snippet) => {
  const text = snippet.text("https://gateway.example", "lk-secret");
  expect(text).toContain("https://gateway.example/");
  expect(text).toContain("lk-secret");
});

test("no two are called the same", () => expect(new Set(SNIPPETS.map((snippet) => snippet.id)).size).toBe(SNIPPETS.length));

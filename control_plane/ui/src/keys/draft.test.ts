// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { KeyOut } from "@/api/schema";
import { draftOf, EMPTY_KEY, KEEP, written } from "./draft";

const key = { name: "worker", mode: "metered", on_disconnect: "drain", expires_at_s: 500, team: "payments", user_id: "", tags: ["batch"], models: ["gpt-4o", "gpt-4o-mini"], upstreams: null, endpoints: null } as unknown as KeyOut;

test("a scope that names nothing is everything", () => {
  expect(written({ ...EMPTY_KEY, models: " gpt-4o , ,gpt-4o-mini", upstreams: " , " }, 0)).toMatchObject({ models: ["gpt-4o", "gpt-4o-mini"], upstreams: null, expires_at_s: null });
});

test("a key that is changed in nothing is written as it was", () => {
  const same = written(draftOf(key), 0);
  expect(same).toMatchObject({ name: "worker", models: ["gpt-4o", "gpt-4o-mini"], upstreams: null, tags: ["batch"] });
  expect(same).not.toHaveProperty("expires_at_s");
});

test("days are counted from now", () => {
  expect(draftOf(key).expires).toBe(KEEP);
  expect(written({ ...draftOf(key), expires: "30" }, 1000.7).expires_at_s).toBe(1000 + 30 * 86_400);
  expect(written({ ...draftOf(key), expires: "" }, 1000).expires_at_s).toBeNull();
});

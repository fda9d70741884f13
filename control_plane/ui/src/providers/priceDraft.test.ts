import { expect, test } from "vitest";
import type { PriceOut } from "@/api/schema";
import { emptyPrice, priceDraft, writtenPrice } from "./priceDraft";

const price = { id: "prc_1", model: "llama-4", upstream: "vllm", rates: { input_text: "0.10" }, multiplier: "", starts_at_s: 1_780_000_020, ends_at_s: null } as unknown as PriceOut;

test("a price that is changed in nothing is written as it was", () => {
  expect(writtenPrice(priceDraft(price))).toEqual({ model: "llama-4", upstream: "vllm", rates: { input_text: "0.10" }, multiplier: "", starts_at_s: 1_780_000_020 - (1_780_000_020 % 60), ends_at_s: null });
});

test("a share takes the place of rates, and the other way round", () => {
  expect(writtenPrice({ ...priceDraft(price), kind: "share", multiplier: "0.85" })).toMatchObject({ multiplier: "0.85", rates: {} });
  expect(writtenPrice({ ...emptyPrice("new-model"), rates: [{ name: "input_text", value: " 0.2 " }, { name: "output_text", value: "" }] })).toMatchObject({ model: "new-model", multiplier: "", rates: { input_text: "0.2" } });
});

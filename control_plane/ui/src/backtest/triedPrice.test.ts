import { expect, test } from "vitest";
import { priceWords, readPrice, writePrice } from "./triedPrice";

test.each([
  ["gpt-4o|*|x0.85", { model: "gpt-4o", upstream: "*", multiplier: "0.85", rates: {} }],
  ["llama-4|vllm|input_text:0.1,output_text:0.3", { model: "llama-4", upstream: "vllm", multiplier: "", rates: { input_text: "0.1", output_text: "0.3" } }],
  ["a|b|openai|x2", { model: "a|b", upstream: "openai", multiplier: "2", rates: {} }],
])("%s stands in an address", (written, price) => {
  expect(readPrice(written)).toEqual(price);
  expect(writePrice(price)).toBe(written);
});

test.each(["", "gpt-4o", "gpt-4o|*", "gpt-4o|*|", "|*|x1", "gpt-4o|*|xx", "gpt-4o|*|input_text", "gpt-4o|*|input_text:-1"])("%s is no price", (written) => expect(readPrice(written)).toBeUndefined());

test("a price is told in words", () => {
  expect(priceWords(readPrice("gpt-4o|*|x0.85")!)).toBe("0.85 of the list price");
  expect(priceWords(readPrice("m|*|input_text:2,output_text:8")!)).toBe("input text $2, output text $8 per million");
});

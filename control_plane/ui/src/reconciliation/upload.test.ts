// @vitest-environment jsdom
import { expect, test } from "vitest";
import { FILE_BYTES_MAX, guessed, unfit } from "./upload";

test.each([
  ["openai-usage-november.json", "openai_usage"],
  ["OpenAI_costs.jsonl", "openai_costs"],
  ["claude_usage.json", "anthropic_usage"],
  ["azure-export.csv", "azure_costs"],
  ["lensai-00001.snappy.parquet", "aws_cur"],
  ["november.csv", undefined],
])("%s is taken for %s", (name, source) => expect(guessed(name)).toBe(source));

test("what cannot be taken is not sent", () => {
  expect(unfit(null)).toBe("Choose a file");
  expect(unfit({ size: 0 })).toMatch("empty");
  expect(unfit({ size: FILE_BYTES_MAX + 1 })).toMatch("64 MiB");
  expect(unfit({ size: FILE_BYTES_MAX })).toBeUndefined();
});

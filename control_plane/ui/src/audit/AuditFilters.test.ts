import { expect, test } from "vitest";
import { toMs } from "./AuditFilters";

test("a time that is none filters nothing", () => expect([toMs(undefined), toMs("soon")]).toEqual([undefined, undefined]));
test("a time is of the reader's zone", () => expect(toMs("2026-11-26T05:49")).toBe(new Date(2026, 10, 26, 5, 49).getTime()));

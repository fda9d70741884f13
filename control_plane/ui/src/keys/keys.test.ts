// @vitest-environment jsdom
import { expect, test } from "vitest";
import { keyState } from "./keys";

const key = { revoked_at_ms: null, disabled: false, expires_at_s: null, replaced_by: null };

test.each([
  [{}, "Active"],
  [{ disabled: true }, "Off"],
  [{ replaced_by: "key_2", expires_at_s: 10 }, "Being replaced"],
  [{ expires_at_s: 5 }, "Expired"],
  [{ revoked_at_ms: 1, disabled: true }, "Revoked"],
])("a key with %o is told to be %s", (difference, state) => expect(keyState({ ...key, ...difference }, 5000)[0]).toBe(state));

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PAGE_FILES } from "../../documents";
import { HEADINGS, headingOf } from "./headings";

const ROUTER = readFileSync("src/app/router.tsx", "utf8");

test("every page of one part has a heading, and its document asks for the file that the router imports", () => {
  const imported = [...ROUTER.matchAll(/path: "([^"]+)"(?:(?!path:)[^])*?import\("@\/([^"]+)"\)/g)].map(([, path, file]) => [path, file] as const);
  expect(Object.fromEntries(imported.filter(([path]) => !path!.includes("$")))).toEqual(PAGE_FILES);
  expect(Object.keys(PAGE_FILES).sort()).toEqual(Object.keys(HEADINGS).sort());
});

test("an address below a page's has no heading of its own", () => {
  expect(headingOf("/projects")?.title).toBe("Projects");
  expect(headingOf("/projects/prj_1")).toBeUndefined();
});

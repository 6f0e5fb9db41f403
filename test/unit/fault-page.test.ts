/** docs/troubleshooting.md has every error code of the program, and no other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { faultTable } from "../../infra/faults.ts";
import { faultPage, shownFaultPage } from "../support/fault-page.ts";

test("the page has each code with its cause and cure, and none that the program does not have", () => {
  const shown = [...shownFaultPage().matchAll(/^\| `([A-Z_]+)` \| (\S.*\S) \| (\S.*\S) \|$/gm)].map(([, code = ""]) => code);
  assert.deepEqual(shown.toSorted(), Object.keys(faultTable).sort());
});

test("the page says what infra/faults.ts says; `node test/support/fault-page.ts` writes it", () => {
  assert.equal(shownFaultPage(), faultPage());
});

/** README shows what really happens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTranscripts, shape, shownTranscripts } from "../support/transcript.ts";

test("the transcripts in README.md have the shape of a fresh run's", async () => {
  const [shown, made] = [shownTranscripts(), await makeTranscripts()];
  assert.equal(shape(shown.quickstart), shape(made.quickstart));
  assert.equal(shape(shown.preview), shape(made.preview));
});

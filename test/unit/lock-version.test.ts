import assert from "node:assert/strict";
import { test } from "node:test";
import { isVersion, sameVersion, satisfies } from "../../infra/lock/version.ts";

test("ways to write the same version", () => {
  for (const [a, b] of [["1.0", "1"], ["1.0.0", "1.0"], ["1.0RC1", "1.0-c.1"], ["1.0-1", "1.0.post1"], ["1.0+Ubuntu_1", "1.0+ubuntu.1"], ["v1.0", "1.0"], ["1.0alpha", "1.0a0"]] as const) assert.ok(sameVersion(a, b), `${a} and ${b}`);
  for (const text of ["", "one", "1.0-", "1..0", "1.0+"]) assert.ok(!isVersion(text), text);
});

const within: readonly (readonly [string, string])[] = [["1.4.2", ">=1.4,<2"], ["2.10.0+cu130", "==2.10.0"], ["2.10.0+cu130", "==2.10.0+cu130"], ["1.4.5", "~=1.4.2"], ["1.9", "~=1.4"], ["1.4.2", "==1.4.*"], ["1.5", "!=1.4.*"], ["1.0.0", "==1"], ["2.0rc1", "<=2"], ["1.7.1", ">1.7"], ["1.0", ""], ["1.0", "===1.0"], ["2.0.post1", ">=2.0.post1"], ["1!1.4", "==1!1.*"]];
const without: readonly (readonly [string, string])[] = [["2.0", ">=1.4,<2"], ["2.10.0", "==2.10.0+cu130"], ["1.5.0", "~=1.4.2"], ["2.0", "~=1.4"], ["1.50", "==1.5.*"], ["2.0rc1", "<2"], ["1.7.post2", ">1.7"], ["1.7+local", ">1.7"], ["1.0", "!=1.0.0"], ["1.4", "==1!1.*"]];
test("bounds", () => {
  for (const [version, bounds] of within) assert.ok(satisfies(version, bounds), `${version} is within ${bounds}`);
  for (const [version, bounds] of without) assert.ok(!satisfies(version, bounds), `${version} is not within ${bounds}`);
  assert.throws(() => satisfies("1.0", "about 1"), /not a version bound: about 1/);
});

/** The pure parts of the stand-in for Pulumi's command plugin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { connection, filledConnection } from "../../infra/pulumi/command/connection.ts";
import { changes, pathText } from "../../infra/pulumi/command/diff.ts";
import { inputsOf, object, problemsOf, required, text } from "../../infra/pulumi/command/inputs.ts";
import { Lines } from "../../infra/pulumi/command/lines.ts";
import { Output } from "../../infra/pulumi/command/output.ts";
import { fromStruct, type Properties, secret, toStruct, UNKNOWN_STRING } from "../../infra/pulumi/command/properties.ts";
import { hiding } from "../../infra/pulumi/command/secrets.ts";

const openly = (text: string) => text;

function linesOf(pieces: readonly string[]): string[] {
  const lines = new Lines(openly);
  return [...pieces.flatMap((piece) => lines.push(piece)), ...lines.end()];
}

test("lines end with a line feed, a carriage return, or both; the last one need not end", () => {
  assert.deepEqual(linesOf(["one\ntwo\r\nthree\rfour"]), ["one", "two", "three", "four"]);
  assert.deepEqual(linesOf(["\n\na\n"]), ["", "", "a"]);
  assert.deepEqual(linesOf(["10 %\r", "20 %\r", "\ndone\n"]), ["10 %", "20 %", "done"]);
});

test("lines are the same however their text is cut into pieces", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom("a", "b", "\n", "\r"), maxLength: 5 })), (pieces) => {
      assert.deepEqual(linesOf(pieces), linesOf([pieces.join("")]));
    }),
  );
});

test("a long line comes by its beginning, once, before it ends", () => {
  const lines = new Lines(openly);
  const [cut = "", ...none] = lines.push("x".repeat(70_000));
  assert.deepEqual(none, []);
  assert.match(cut, /^x{2000}…$/);
  assert.deepEqual(lines.push("x".repeat(70_000)), []);
  assert.deepEqual(lines.push("x\nnext\n"), ["next"]);
});

async function* stream(...pieces: string[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

test("no part of a secret is left where a line or an error is cut", async () => {
  const secretText = "s3cr3t-".repeat(100);
  const hide = hiding({ stdin: secret(secretText) });
  const shown: string[] = [];
  const output = new Output({ logging: "stdout", hide, line: async (line) => void shown.push(line) });
  await output.read("stdout", stream("x".repeat(1900), secretText.slice(0, 300), secretText.slice(300), "y".repeat(20_000)));
  await output.read("stderr", stream(secretText, "z".repeat(12 * 1024 - 100)));
  for (const text of [...shown, output.end()]) assert.doesNotMatch(text, /s3cr3t/);
  assert.match(shown.join(), /^x{1900}\[secret\]y+…$/);
});

test("an error quotes the end of both streams, and says where there was more", async () => {
  const output = new Output({ logging: "none", hide: openly, line: () => Promise.reject(new Error("nothing is shown")) });
  await output.read("stdout", stream("first ", "x".repeat(100_000), "\n"));
  assert.equal(output.text("stdout").length, 100_006);
  await output.read("stderr", stream("last"));
  assert.match(output.end(), /^… \(more before this\)\nx+\nlast$/);
  const short = new Output({ logging: "none", hide: openly, line: async () => undefined });
  await short.read("stderr", stream("all of it"));
  assert.equal(short.end(), "all of it");
});

test("changes are as deep as they are, and paths as the engine writes them", () => {
  const old: Properties = { stdin: "a", triggers: [{ "a/b": "1", c: [1, null] }, "x"], gone: true, same: { a: 1 } };
  const now: Properties = { stdin: "b", triggers: [{ "a/b": "2", c: [1, 2] }, "x", "y"], come: "", same: { a: 1 } };
  assert.deepEqual(Object.fromEntries(changes(old, now)), {
    stdin: "update",
    'triggers[0]["a/b"]': "update",
    "triggers[0].c[1]": "add",
    "triggers[2]": "add",
    gone: "delete",
    come: "add",
  });
  assert.equal(pathText(['say "it"', 0, "plain_1"]), '["say \\"it\\""][0].plain_1');
});

test("a secret changes as a whole, and by becoming one", () => {
  const of = (value: Properties) => Object.fromEntries(changes({ stdin: secret({ a: "1" }) }, value));
  assert.deepEqual(of({ stdin: secret({ a: "1" }) }), {});
  assert.deepEqual(of({ stdin: secret({ a: "2" }) }), { stdin: "update" });
  assert.deepEqual(of({ stdin: { a: "1" } }), { stdin: "update" });
});

test("what is null is not there, and a secret of nothing neither", () => {
  const given = { a: null, b: { c: null, d: 1 }, e: [null, 1], f: secret(null), g: secret("x") };
  assert.deepEqual(fromStruct(toStruct(given)), { b: { d: 1 }, e: [null, 1], g: secret("x") });
});

const shape = object({ name: required(text), inner: object({ size: required(text) }) });

test("all problems come at once, by their paths, and without values", () => {
  const found = problemsOf(shape, { name: 5, inner: { other: secret("value"), "odd name": 1 } });
  assert.deepEqual(found.map(({ property }) => property), ["name", "inner.other", 'inner["odd name"]', "inner.size"]);
  assert.doesNotMatch(JSON.stringify(found), /value"|"value/);
  assert.throws(() => inputsOf(shape, {}), /^Error: name: is missing$/);
});

test("what a preview does not know is of any shape; a secret is looked into", () => {
  assert.deepEqual(problemsOf(shape, { name: UNKNOWN_STRING, inner: secret(UNKNOWN_STRING) }), []);
  assert.deepEqual(inputsOf(shape, { name: secret("a"), inner: secret({ size: secret("b") }) }), { name: "a", inner: { size: "b" } });
});

test("a connection is a secret, its private keys once more; what is given is kept, and what is unknown", () => {
  const hostKey = "ssh-ed25519 AAAA";
  const given = { host: "h", hostKey, port: 2022, privateKey: "p", proxy: { host: "j", hostKey, privateKey: secret("q") } };
  const { connection: filled } = filledConnection({ connection: secret(given) });
  const defaults = { user: "root", dialErrorLimit: 10, perDialTimeout: 15 };
  assert.deepEqual(filled, secret({ ...given, ...defaults, privateKey: secret("p"), proxy: { ...given.proxy, ...defaults, port: 22 } }));
  assert.deepEqual(filledConnection({ connection: UNKNOWN_STRING }), { connection: secret(UNKNOWN_STRING) });
  assert.deepEqual(problemsOf(object({ connection: required(connection) }), { connection: filled ?? null }), []);
});

test("secrets are hidden whole and line by line; a connection's host is no secret, its private key is", () => {
  const to = secret({ host: "host-1", privateKey: secret("key-1") });
  const hide = hiding({ stdin: secret("first line\nsecond line\n"), create: "echo plain", flag: secret(true), triggers: [secret("first")], connection: to });
  assert.equal(hide("plain host-1: first line, then second line; first; key-1"), "plain host-1: [secret], then [secret]; [secret]; [secret]");
  assert.equal(hiding({ stdin: secret("ab") })("ab"), "ab");
});

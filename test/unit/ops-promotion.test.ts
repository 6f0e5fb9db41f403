/** Where a moving tag goes: by a model of a registry that is nothing but its tags. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FaultError } from "../../infra/faults.ts";
import { goTo, type Image, promotion, standing, stepBack, type TagSet } from "../../infra/ops/promotion/history.ts";
import { needInReach } from "../../infra/ops/promotion/promote.ts";
import type { Place } from "../../infra/ops/script.ts";

const images: readonly Image[] = ["a", "b", "c", "d"].map((letter) => ({ tag: letter.repeat(12), digest: `sha256:${letter.repeat(64)}` }));
const [a, b, c] = images as [Image, Image, Image];

/** Tags by name, each with the digest of its image; all images are published. */
class Model {
  readonly tags = new Map(images.map(({ tag, digest }) => [tag, digest]));
  /** Everything that was ever set, in order. */
  readonly set: TagSet[] = [];

  standing() {
    return standing("stable", { tags: [...this.tags.keys()].sort(), digests: Object.fromEntries(this.tags) });
  }

  /** Sets tags up to a number, as a run that is cut off does. */
  apply(set: readonly TagSet[], upTo = set.length): void {
    for (const { tag, from } of set.slice(0, upTo)) {
      const digest = this.tags.get(from);
      assert.ok(digest !== undefined, `${from} is there`);
      assert.ok(tag === "stable" || !this.tags.has(tag) || this.tags.get(tag) === digest, `${tag} never moves`);
      this.tags.set(tag, digest);
      this.set.push({ tag, from });
    }
  }

  promote(image: Image): void {
    this.apply(promotion(this.standing(), image));
  }

  back(): string | undefined {
    const step = stepBack(this.standing());
    if (step !== undefined) this.apply(step.set);
    return step?.to.image;
  }

  get now(): string | undefined {
    return this.tags.get("stable");
  }
}

test("a promotion names its move and the one before it; one of what is promoted sets nothing", () => {
  const model = new Model();
  model.promote(a);
  model.promote(b);
  assert.deepEqual(model.set, [
    { tag: "stable-0001-aaaaaaaaaaaa", from: a.tag },
    { tag: "stable", from: "stable-0001-aaaaaaaaaaaa" },
    { tag: "stable-0002-after-0001-bbbbbbbbbbbb", from: b.tag },
    { tag: "stable", from: "stable-0002-after-0001-bbbbbbbbbbbb" },
  ]);
  assert.deepEqual(promotion(model.standing(), b), []);
});

test("rollback goes back, one promotion a time, and ends at the first", () => {
  const model = new Model();
  for (const image of [a, b, c]) model.promote(image);
  assert.deepEqual([model.back(), model.back(), model.back(), model.now], [b.tag, a.tag, undefined, a.digest]);
});

test("a promotion after a rollback continues from there: what was taken back is not come back to", () => {
  const model = new Model();
  for (const image of [a, b]) model.promote(image);
  model.back();
  model.promote(c);
  assert.equal(model.standing().current?.tag, "stable-0003-after-0001-cccccccccccc");
  assert.deepEqual([model.back(), model.now], [a.tag, a.digest]);
});

test("a promotion of what was taken back is that one again", () => {
  const model = new Model();
  for (const image of [a, b]) model.promote(image);
  model.back();
  assert.deepEqual(promotion(model.standing(), b), [{ tag: "stable", from: "stable-0002-after-0001-bbbbbbbbbbbb" }]);
});

test("an image that somebody set the tag to by hand becomes a move of its own before the tag leaves it", () => {
  const model = new Model();
  model.promote(a);
  model.tags.set("stable", b.digest);
  model.promote(c);
  assert.deepEqual(model.set.slice(2).map(({ tag }) => tag), ["stable-0002-after-0001-bbbbbbbbbbbb", "stable-0003-after-0002-cccccccccccc", "stable"]);
  assert.deepEqual([model.back(), model.now], [b.tag, b.digest]);
});

test("an image by name: one of the history, by either tag, is no new move; another is", () => {
  const model = new Model();
  for (const image of [a, b]) model.promote(image);
  const expected = [{ tag: "stable", from: "stable-0001-aaaaaaaaaaaa" }];
  assert.deepEqual(goTo(model.standing(), a), expected);
  assert.deepEqual(goTo(model.standing(), { tag: "stable-0001-aaaaaaaaaaaa", digest: a.digest }), expected);
  assert.deepEqual(goTo(model.standing(), b), []);
  assert.deepEqual(goTo(model.standing(), c).map(({ tag }) => tag), ["stable-0003-after-0002-cccccccccccc", "stable"]);
});

test("other tags are no moves: another moving tag's, and what only looks like one", () => {
  const tags = ["stable", "stable-0001-aaaaaaaaaaaa", "stable-1-aaaaaaaaaaaa", "stable-0002-short", "unstable-0003-aaaaaaaaaaaa", "stable-canary-0004-aaaaaaaaaaaa"];
  assert.deepEqual(standing("stable", { tags, digests: {} }).moves.map(({ tag }) => tag), ["stable-0001-aaaaaaaaaaaa"]);
});

type Step = { readonly kind: "promote" | "back" | "go" | "hand"; readonly image: number; readonly cut: number };
const step: fc.Arbitrary<Step> = fc.record({ kind: fc.constantFrom("promote" as const, "back" as const, "go" as const, "hand" as const), image: fc.nat(3), cut: fc.nat(3) });

test("whatever is done and cut off: no move is lost or changed, the next run comes to the end, every image that the tag left is in the history", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 15 }), (steps) => {
      const model = new Model();
      for (const { kind, image, cut } of steps) {
        const wanted = images[image] as Image;
        const before = model.now;
        if (kind === "hand") model.tags.set("stable", wanted.digest);
        else if (kind === "back") model.back();
        else {
          const plan = kind === "promote" ? promotion : goTo;
          model.apply(plan(model.standing(), wanted), cut);
          model.apply(plan(model.standing(), wanted));
          assert.equal(model.now, wanted.digest);
        }
        const kept = [...model.tags].filter(([tag]) => tag.startsWith("stable-")).map(([, digest]) => digest);
        if (kind !== "hand" && before !== undefined && before !== model.now) assert.ok(kept.includes(before), "the image that it left is in the history");
        const numbers = model.standing().moves.map(({ number }) => number);
        assert.equal(new Set(numbers).size, numbers.length);
      }
    }),
  );
});

const there = (host: string, port = 22): Place => ({ there: { host, port, user: "build", hostKey: "ssh-ed25519 AAAA" }, folder: "comfyui/x" });
const here: Place = { here: "/project" };
const places: readonly (readonly [from: Place, to: Place, reached: boolean])[] = [
  [here, here, true],
  [there("a.example"), there("a.example"), true],
  [there("a.example"), there("b.example"), false],
  [there("a.example"), there("a.example", 2222), false],
  [here, there("a.example"), false],
];

test("PROMOTE_PLACES: an image in a folder goes to stacks of the same build host alone, one in a registry to all", () => {
  for (const [from, to, reached] of places) {
    const both = [{ stack: "team", place: from }, { stack: "prod", place: to }] as const;
    needInReach("docker://registry.example/comfyui:aaaaaaaaaaaa", both);
    const check = () => needInReach("oci:/home/build/images:aaaaaaaaaaaa", both);
    if (reached) check();
    else assert.throws(check, (error) => error instanceof FaultError && /^error\[PROMOTE_PLACES\]: stacks team and prod: /.test(error.message));
  }
});

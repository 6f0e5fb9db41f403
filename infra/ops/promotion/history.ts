/**
 * Where a moving tag was. The registry keeps it, so that every machine knows the same: each image that TAG came to has a tag
 * TAG-NUMBER-after-NUMBER-IMAGE beside its own, which never moves; the second number is the move before it. A rollback goes back
 * along these numbers and is no move itself: a promotion after it continues from where the tag stands.
 */

/** The tag that moves, where no other is named. */
export const PROMOTED_TAG = "stable";

/** One promotion. */
export interface Move {
  /** From 1. */
  readonly number: number;
  /** The move that the tag stood on before; undefined for the first. */
  readonly after: number | undefined;
  /** The image's own tag. */
  readonly image: string;
  /** What keeps it in the registry. */
  readonly tag: string;
}

export interface Standing {
  /** The tag that moves. */
  readonly moving: string;
  /** The digest of its image; undefined where there is no such tag. */
  readonly digest: string | undefined;
  /** All moves, the newest first. */
  readonly moves: readonly Move[];
  /** The move that it stands on; undefined where somebody has set it by other ways. */
  readonly current: Move | undefined;
}

/** What the registry says: its tags, and the digests of some. */
export interface Tags {
  readonly tags: readonly string[];
  readonly digests: Readonly<Record<string, string | null>>;
}

export function standing(moving: string, { tags, digests }: Tags): Standing {
  const digest = digests[moving] ?? undefined;
  const moves = tags.flatMap((tag) => parseMove(moving, tag) ?? []).toSorted((a, b) => b.number - a.number);
  return { moving, digest, moves, current: digest === undefined ? undefined : moves.find(({ tag }) => digests[tag] === digest) };
}

function parseMove(moving: string, tag: string): Move | undefined {
  if (!tag.startsWith(`${moving}-`)) return undefined;
  const [, number, after, image] = /^(\d{4,})(?:-after-(\d{4,}))?-([0-9a-f]{12})$/.exec(tag.slice(moving.length + 1)) ?? [];
  return number === undefined || image === undefined ? undefined : { number: Number(number), after: after === undefined ? undefined : Number(after), image, tag };
}

function makeMove(moving: string, number: number, after: number | undefined, image: string): Move {
  const padded = (each: number) => String(each).padStart(4, "0");
  return { number, after, image, tag: `${moving}-${padded(number)}${after === undefined ? "" : `-after-${padded(after)}`}-${image}` };
}

/** A tag that is to be set to the image that another tag has. */
export interface TagSet {
  readonly tag: string;
  readonly from: string;
}

export interface Image {
  readonly tag: string;
  readonly digest: string;
}

/** What a promotion of the image sets, in this order; nothing where it is promoted. A run that was cut off is finished by the next. */
export function promotion(before: Standing, image: Image): TagSet[] {
  if (before.digest === image.digest) return [];
  const { standing: now, set } = adopted(before);
  const [newest] = now.moves;
  const move = makeMove(now.moving, (newest?.number ?? 0) + 1, now.current?.number, wordOf(image));
  const known = newest !== undefined && newest.image === move.image && newest.after === move.after ? newest : undefined;
  return [...set, ...(known === undefined ? [{ tag: move.tag, from: image.tag }] : []), { tag: now.moving, from: (known ?? move).tag }];
}

/** The move before the one that the tag stands on, and what goes back to it; undefined where there is none. */
export function stepBack(before: Standing): { readonly to: Move; readonly set: TagSet[] } | undefined {
  const { standing: now, set } = adopted(before);
  const to = now.moves.find(({ number }) => number === now.current?.after);
  return to && { to, set: [...set, { tag: now.moving, from: to.tag }] };
}

/** What brings the tag to an image that is named. One that it has been at is no new move. */
export function goTo(before: Standing, image: Image): TagSet[] {
  if (before.digest === image.digest) return [];
  const { standing: now, set } = adopted(before);
  const known = now.moves.find((move) => move.tag === image.tag || move.image === image.tag);
  return known === undefined ? promotion(before, image) : [...set, { tag: now.moving, from: known.tag }];
}

/** An image that somebody set the tag to by other ways becomes a move first: its place would be lost. */
function adopted(before: Standing): { standing: Standing; set: TagSet[] } {
  const { moving, digest, moves, current } = before;
  if (digest === undefined || current !== undefined) return { standing: before, set: [] };
  const [newest] = moves;
  const move = makeMove(moving, (newest?.number ?? 0) + 1, newest?.number, wordOf({ tag: "", digest }));
  return { standing: { ...before, moves: [move, ...moves], current: move }, set: [{ tag: move.tag, from: moving }] };
}

/** An image's own tag is its fingerprint; where it is none, its digest names it. */
function wordOf({ tag, digest }: Image): string {
  return /^[0-9a-f]{12}$/.test(tag) ? tag : digest.replace(/^sha256:/, "").slice(0, 12);
}

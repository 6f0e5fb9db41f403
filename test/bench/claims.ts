/**
 * What the documents say that this project replaces (the seed's README-LAYERED, APPROACHES, CACHING and NIX2CONTAINER): their
 * authors' estimates, behind which no measurement or log stands.
 */
export interface Claim {
  readonly what: string;
  readonly claimed: string;
  /** `what` of the comparison that comes nearest. */
  readonly ours?: string;
  readonly remark: string;
}

export const CLAIMS: readonly Claim[] = [
  {
    what: "first build and push of everything", claimed: "30–50 min in layers, 45–70 min as one build, 8–15 min more to push",
    ours: "a first build of all layers",
    remark: "Not comparable: theirs is the CUDA image on a machine nobody names, ours the sample on this one. The ratio carries over, minutes do not.",
  },
  {
    what: "ComfyUI updated (layer 6)", claimed: "8–15 min",
    ours: "an edit of layer 6, end to end (sample)",
    remark: "Not comparable in minutes: a real ComfyUI's imports take longer to check. What is beside the layer's own build is the same for both, and that is what the ratio shows.",
  },
  {
    what: "nothing changed", claimed: "1–3 min",
    ours: "no-op `pulumi up`",
    remark: "Comparable: neither depends on the image's size.",
  },
  {
    what: "push after a change of one layer", claimed: "0.5–2 min",
    ours: "publishing the sample after an edit of layer 6",
    remark: "Comparable but for the network: both send the changed layer alone; here the registry is on the loopback.",
  },
  {
    what: "bytes that are in the image twice", claimed: "5.4 GB of 8.6 GB before, none after",
    ours: "the image's size",
    remark: "Comparable as a ratio: against one blob of the same closure.",
  },
  {
    what: "the tarball step", claimed: "1.8 s in place of 10 s",
    remark: "Not comparable: there is no such step any more, blobs go to the registry as they lie in the store.",
  },
];

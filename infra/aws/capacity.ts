/** In which order instance types and zones are tried. */

/** A type in a zone's subnet. */
export interface Candidate {
  readonly type: string;
  readonly zone: string;
  readonly subnetId: string;
}

/**
 * By the rank of the type, and within one by the order of the zones: a better type in another zone is worth more than the
 * next type in the same one, since the zone is chosen only once and the type works every day.
 */
export function candidates(types: readonly string[], subnets: readonly { readonly zone: string; readonly id: string }[]): Candidate[] {
  return types.flatMap((type) => subnets.map(({ zone, id }) => ({ type, zone, subnetId: id })));
}

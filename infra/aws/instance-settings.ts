import { readNixpkgs } from "../bootstrap-text.ts";
import type { Machine } from "../machine.ts";
import { type HostMetrics, sends } from "./metrics.ts";
import { metricNamespace, type Place, type Role } from "./names.ts";

export interface InstanceSettingsArgs {
  readonly place: Place;
  readonly role: Role;
  readonly metrics: HostMetrics;
  /** The registry's host that it logs in to by its role. */
  readonly registry: string | null;
  /** 0: it never stops by itself. */
  readonly idleMinutes: number;
  readonly gpu: boolean;
  /** Whether Systems Manager may open sessions on it. */
  readonly sessions: boolean;
  /** Who uses the host's Docker. Default: nobody. */
  readonly docker?: string | undefined;
}

/** Settings of infra/hosts/bootstrap/instance.sh, which says what each means. */
export function instanceSettings({ place, role, metrics, registry, idleMinutes, gpu, sessions, docker }: InstanceSettingsArgs): Machine["settings"] {
  const namespace = sends(metrics) ? metricNamespace(place) : null;
  return { role: "instance", hostRole: role, region: place.region, disk: "/nix", namespace, metrics: { ...metrics }, registry, idleMinutes, gpu, sessions: sessions ? readNixpkgs() : null, ...(docker !== undefined && { docker }) };
}

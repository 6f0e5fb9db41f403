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
  /** Who uses the host's Docker. Default: nobody. */
  readonly docker?: string | undefined;
}

/** Settings of infra/hosts/bootstrap/instance.sh, which says what each means. */
export function instanceSettings({ place, role, metrics, registry, idleMinutes, gpu, docker }: InstanceSettingsArgs): Machine["settings"] {
  return { role: "instance", hostRole: role, region: place.region, disk: "/nix", namespace: sends(metrics) ? metricNamespace(place) : null, metrics: { ...metrics }, registry, idleMinutes, gpu, ...(docker !== undefined && { docker }) };
}

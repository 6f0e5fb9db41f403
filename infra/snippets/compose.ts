/** A compose file. */
import { Document, Scalar } from "yaml";
import { container, type Runnable } from "./runnable.ts";

export function compose(target: Runnable): string {
  const { folder, tag } = target;
  const document = new Document({ services: { comfyui: service(target) }, volumes: { "comfyui-data": {} } });
  document.commentBefore = [
    ` Image ${tag}. Start it with: docker compose up --detach; then open http://127.0.0.1:${container.port}`,
    ...(folder ? [` The image comes out of the project's folder. First, there: . .local/env.sh && ${folder.load}`] : []),
    " A folder of your own instead of the volume: write ./comfyui-data:/data, make that folder, and set user to its owner.",
  ].join("\n");
  return document.toString({ lineWidth: 0 });
}

function service({ image, folder, gpu }: Runnable): object {
  const { health, port, user, volume } = container;
  return {
    image,
    ...(folder ? { pull_policy: "never" } : {}),
    restart: "unless-stopped",
    user: quoted(`${user}:${user}`),
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
    ports: [`127.0.0.1:${port}:${port}`],
    volumes: [`comfyui-data:${volume}`],
    tmpfs: ["/tmp:exec"],
    healthcheck: {
      test: ["CMD", health.command],
      interval: `${health.intervalSeconds}s`,
      timeout: `${health.timeoutSeconds}s`,
      start_period: `${health.startSeconds}s`,
      retries: health.retries,
    },
    ...(gpu ? { deploy: { resources: { reservations: { devices: [{ driver: "nvidia", count: "all", capabilities: ["gpu"] }] } } } } : {}),
  };
}

/** Readers of YAML 1.1 take small numbers around a colon for one number, to the base of 60. */
function quoted(text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.type = "QUOTE_DOUBLE";
  return scalar;
}

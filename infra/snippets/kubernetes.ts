/** Kubernetes: a claim, a deployment and a service, fit for namespaces that enforce the Pod Security Standard "restricted". */
import { Document } from "yaml";
import { container, type Runnable } from "./runnable.ts";

const name = "comfyui";
const labels = { "app.kubernetes.io/name": name };
const metadata = { name, labels };

/** Several documents in one text. */
export function kubernetes(target: Runnable): string {
  const { folder, gpu, tag } = target;
  const comments = [
    ` Image ${tag}. Then: kubectl port-forward service/${name} ${container.port}`,
    ...(folder ? [` The image is in a folder. Copy it to a registry of the cluster's and name it below: skopeo copy ${folder.several ? "--all " : ""}${folder.reference} docker://REGISTRY/${name}:${tag}`] : []),
    ...(gpu ? [" Where the cluster has NVIDIA's runtime as a class of its own, add runtimeClassName: nvidia to the pod's spec."] : []),
  ];
  return [claim, deployment(target), service]
    .map((manifest, at) => {
      const document = new Document(manifest, { aliasDuplicateObjects: false });
      if (at === 0) document.commentBefore = comments.join("\n");
      return document.toString({ lineWidth: 0 });
    })
    .join("---\n");
}

const claim = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata,
  // Models are what is large.
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "100Gi" } } },
};

const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata,
  spec: { selector: labels, ports: [{ name: "http", port: container.port, targetPort: "http" }] },
};

function deployment(target: Runnable): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: {
      replicas: 1,
      // Two versions never share the volume.
      strategy: { type: "Recreate" },
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: pod(target) },
    },
  };
}

function pod({ image, gpu }: Runnable): object {
  const { health, port, user, volume } = container;
  const answers = { httpGet: { path: "/system_stats", port: "http" }, timeoutSeconds: health.timeoutSeconds };
  return {
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      fsGroup: user,
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
    automountServiceAccountToken: false,
    // Else COMFYUI_PORT and the like are the service's address.
    enableServiceLinks: false,
    containers: [
      {
        name,
        image,
        ports: [{ name: "http", containerPort: port }],
        securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
        startupProbe: { ...answers, periodSeconds: 5, failureThreshold: 120 },
        // Not ready while the volume cannot be written; that is no reason to start again, which a busy program is not either.
        readinessProbe: { exec: { command: [health.command] }, periodSeconds: health.intervalSeconds, timeoutSeconds: health.timeoutSeconds },
        livenessProbe: { ...answers, periodSeconds: health.intervalSeconds, failureThreshold: 10 },
        ...(gpu ? { resources: { limits: { "nvidia.com/gpu": 1 } } } : {}),
        volumeMounts: [
          { name: "data", mountPath: volume },
          { name: "tmp", mountPath: "/tmp" },
        ],
      },
    ],
    volumes: [
      { name: "data", persistentVolumeClaim: { claimName: name } },
      { name: "tmp", emptyDir: {} },
    ],
  };
}

/** What ECR takes of one image (Amazon ECR user guide, service quotas). publish-image.sh checks it before it sends a byte. */
export const ecrLimits = {
  /** Bytes of one layer: 52,000 MiB. */
  layerBytes: 52_000 * 1024 * 1024,
  /** Layers of one image: the limit of container engines, which ECR also had. */
  layers: 127,
} as const;

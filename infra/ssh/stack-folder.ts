/** The stack's folder on a host over SSH, relative to the user's home. Stacks share a host's Nix store and nothing else. */
export function stackFolder(stack: string): string {
  return `comfyui/${stack}`;
}

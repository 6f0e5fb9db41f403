/** The stack's folder on a host over SSH, relative to the user's home. Stacks share a host's user and its Nix, and no folder. */
export function stackFolder(stack: string): string {
  return `comfyui/${stack}`;
}

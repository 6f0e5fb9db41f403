/** Debian's Chromium, headless, without any traffic of its own. */
import { type Browser, chromium } from "playwright-core";

export async function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    // Root in a container of its own has no user namespaces for Chromium's sandbox; it sees pages of this test only.
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

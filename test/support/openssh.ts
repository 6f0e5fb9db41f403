/** OpenSSH's server, unpacked into a private folder: installed, Debian's package would start one for the whole machine. */
import { join } from "node:path";
import { unpackDebian } from "./debian-packages.ts";
import { once } from "./test-cache.ts";

const SUITE = "bookworm";

/** The server's path, and where its libraries are. */
export async function openssh(): Promise<{ sshd: string; libraries: string }> {
  const folder = await once(`openssh-${SUITE}`, async (partial) => {
    await unpackDebian(SUITE, ["openssh-server"], (name) => /^lib(wrap0|ssl3|nsl2|tirpc3|pam0g|selinux1|audit1|cap-ng0|com-err2|crypt1|gssapi-krb5-2|k5crypto3|keyutils1|krb5.*)$/.test(name), partial);
  });
  return { sshd: join(folder, "root/usr/sbin/sshd"), libraries: join(folder, "root/usr/lib/x86_64-linux-gnu") };
}

/** A small Debian mirror in a sandbox's folder, with real packages and real signatures, by a key of its own. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox } from "./sandbox.ts";

export interface Package {
  readonly name: string;
  readonly version: string;
  /** Its only file, by the path it is installed at, and where its content comes from (a path inside). */
  readonly file: readonly [to: string, from: string];
}

export interface DebianMirror {
  /** Its address, as COMFYUI_DEBIAN_MIRROR wants it. */
  readonly url: string;
  /** A folder with the keyring that its signatures are checked by, to be seen in place of the machine's keyrings. */
  readonly keyrings: string;
}

/** By dpkg-deb, which also sets the times of the files: the same bytes each time. */
const BUILD = `
export SOURCE_DATE_EPOCH=0
tree=$TMPDIR/tree-$1
install -D -m 755 "$4" "$tree$3"
mkdir -p "$tree/DEBIAN" "$5/pool"
printf 'Package: %s\\nVersion: %s\\nArchitecture: amd64\\nMaintainer: Tests <tests@localhost>\\nDescription: a package of a test\\n' "$1" "$2" >"$tree/DEBIAN/control"
dpkg-deb --root-owner-group --build "$tree" "$5/pool/$1.deb" >/dev/null
rm -r "$tree"`;

const INDEX = `
cd "$1"
index=dists/$2/main/binary-amd64
mkdir -p "$index"
for deb in pool/*.deb; do
  [ -e "$deb" ] || continue
  dpkg-deb --field "$deb"
  printf 'Filename: %s\\nSize: %s\\nSHA256: %s\\n\\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d ' ' -f 1)"
done >"$index/Packages"
cd "dists/$2"
file=main/binary-amd64/Packages
printf 'Origin: Debian\\nLabel: Debian\\nSuite: %s\\nCodename: %s\\nComponents: main\\nArchitectures: amd64\\nDate: %s\\nSHA256:\\n %s %s %s\\n' "$2" "$2" \\
  "$(date -u -R)" "$(sha256sum $file | cut -d ' ' -f 1)" "$(stat -c %s $file)" "$file" >Release
export GNUPGHOME=$3
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --passphrase '' --quick-generate-key tests@localhost ed25519 sign never
gpg --batch --quiet --clearsign --output InRelease Release
mkdir "$4"
gpg --export >"$4/debian-archive-keyring.gpg"
gpgconf --kill all`;

let mirrors = 0;

export async function debianMirror(sandbox: Sandbox, suite: string, packages: readonly Package[]): Promise<DebianMirror> {
  const folder = join(sandbox.at, `tmp/mirror-${++mirrors}`);
  mkdirSync(sandbox.host(folder));
  for (const { name, version, file } of packages) {
    await sandbox.run("bash", ["-euo", "pipefail", "-c", BUILD, "build", name, version, ...file, folder]);
  }
  // Gnupg's sockets want a short path.
  const paths = [folder, suite, join(sandbox.at, `tmp/gnupg-${mirrors}`), join(folder, "keyrings")];
  await sandbox.run("bash", ["-euo", "pipefail", "-c", INDEX, "index", ...paths]);
  return { url: `file://${folder}`, keyrings: join(folder, "keyrings") };
}

/** A folder that holds no keyring. */
export function noKeyrings(sandbox: Sandbox): string {
  const folder = join(sandbox.at, "tmp/no-keyrings");
  mkdirSync(sandbox.host(folder));
  return folder;
}

/** apt's configuration that names no mirror at all, to be used as APT_CONFIG. */
export function aptWithoutMirror(sandbox: Sandbox): string {
  const file = join(sandbox.at, "tmp/apt.conf");
  writeFileSync(sandbox.host(file), 'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "/dev/null";\n');
  return file;
}

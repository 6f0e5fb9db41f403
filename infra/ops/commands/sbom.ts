import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { OpsCommand } from "../command.ts";
import { imageOptions, type ImageOptions } from "../images/contents.ts";
import { makeSbom } from "../sbom/sbom.ts";

interface Options extends ImageOptions {
  readonly out?: string;
}

export const sbom: OpsCommand<[string], Options> = {
  name: "sbom <image>",
  summary: "the image's bill of materials, as CycloneDX 1.6",
  description: `IMAGE as in 'ops diff', of one that the stack's build host has put together: contents and licences are read from the image,
hashes and origins from the files that it was built from and from the locks of this checkout, so take the revision
that built it. Each component has its layer. Equal images give equal bytes; a time is in it where SOURCE_DATE_EPOCH
is set.`,
  examples: [
    ["sbom 8729bf4d1e83 --out sbom.json", "to a file"],
    ["sbom stable --stack prod | jq -r '.components[].purl // empty'", "the package URLs"],
  ],
  options: (command) => imageOptions(command.option("--out <file>", "where to write it; default: standard output")),
  async run([name], options, context) {
    const { image, components, document } = await makeSbom(name, options, context);
    if (options.out === undefined) return { json: JSON.parse(document) as object, text: document };
    const file = resolve(options.out);
    writeFileSync(file, document);
    return { json: { file, digest: image.digest, components }, text: `${file}: ${components} components of ${image.digest}` };
  },
};

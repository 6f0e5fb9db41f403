import { cut, humanSize, table } from "../../table.ts";
import type { OpsCommand } from "../command.ts";
import { compareImages, type Differences } from "../images/compare.ts";
import { imageOptions, type ImageOptions, type ReadImage, readImages } from "../images/contents.ts";

export const diffImages: OpsCommand<[string, string], ImageOptions> = {
  name: "diff <image> <image>",
  summary: "what differs between two images: layers, packages and versions",
  description: `IMAGE is a tag of the stack's registry, or a whole reference: HOST/NAME:TAG, HOST/NAME@sha256:…, oci:FOLDER:TAG. It runs on the
stack's build host, by its login. All is read from the images themselves: of the blobs that differ, those that the
host lacks are fetched.`,
  examples: [
    ["diff 8729bf4d1e83 27df92d07f21", "two images of the stack's registry"],
    ["diff stable 27df92d07f21 --stack prod", "what a promotion would bring"],
  ],
  options: imageOptions,
  async run(names, options, context) {
    const { images } = await readImages(names, options, context);
    const differences = compareImages(...(images as [ReadImage, ReadImage]));
    return { json: differences, text: textOf(differences, context.width), found: !differences.same };
  },
};

function textOf({ images, same, layers, packages, rebuilt }: Differences, width: number): string {
  if (same) return `${images[0]}\n${images[1]}\nare the same image.`;
  const size = (bytes: number | null) => (bytes === null ? "-" : humanSize(bytes));
  const head = `A  ${images[0]}\nB  ${images[1]}`;
  const parts = [
    table([["LAYER", "A", "B", "TO PULL"], ...layers.map(({ layer, sizes, pulled, same }) => [layer, size(sizes[0]), size(sizes[1]), same ? "same" : humanSize(pulled)])], [1, 2, 3]),
    packages.length === 0
      ? "No package has another version."
      : fitted([["PACKAGE", "LAYER", "A", "B"], ...packages.map(({ name, layer, versions }) => [name, layer, versions[0] ?? "-", versions[1] ?? "-"])], width),
    rebuilt.length === 0 ? "" : `Of the same version, with other content:\n${fitted([["STORE PATH", "LAYER", "A", "B"], ...rebuilt.map(({ name, layer, sizes }) => [name, layer, humanSize(sizes[0]), humanSize(sizes[1])])], width)}`,
  ];
  return [head, ...parts.filter(Boolean)].join("\n\n");
}

/** A table of four columns, in which long names and versions are cut: all of it is in --json. */
function fitted(rows: readonly (readonly string[])[], width: number): string {
  const longest = [0.34, 0.2, 0.22, 0.22].map((share) => Math.floor(share * width) - 1);
  return table(rows.map((row) => row.map((text, column) => cut(text, longest[column] ?? 0))));
}

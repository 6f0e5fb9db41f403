/** What a container's start decides from its options, its GPU and its volume. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Fault, faultTable, formatFault } from "../../infra/faults.ts";
import { evaluate } from "../support/runtime-scripts.ts";

test("the codes of the image's entry point are in the table of all codes, with exit codes of their own, and written the same way", async () => {
  const status = (await evaluate("faults", "faults.STATUS")) as Record<string, number>;
  assert.deepEqual(Object.keys(status).sort(), Object.keys(faultTable).filter((code) => code.startsWith("RUN_")).sort());
  assert.equal(new Set(Object.values(status)).size, Object.keys(status).length);
  const fault: Required<Fault> = { code: "RUN_VOLUME", where: "/data", problem: "p", found: "f", expected: "e", fix: "x" };
  assert.equal(await evaluate("faults", "str(faults.Fault(**given))", fault), formatFault(fault));
});

test("options are read as ComfyUI reads them", async () => {
  const rows: [string, Record<string, unknown>][] = [
    ["", { url: "http://127.0.0.1:8188", base: "/data", output: "/data/output", temp: "/data/temp", cpu: false, temp_given: false, database_given: false }],
    ["--listen 0.0.0.0 --port 8188 --base-directory /data --port=9000 --cpu", { url: "http://127.0.0.1:9000", cpu: true }],
    ["--listen --port 9001", { url: "http://127.0.0.1:9001" }],
    ["--listen ::", { url: "http://[::1]:8188" }],
    ["--listen 10.0.0.7,::1", { url: "http://10.0.0.7:8188" }],
    ["--tls-keyfile k --tls-certfile c", { url: "https://127.0.0.1:8188" }],
    ["--base-directory /b --output-directory /o --user-directory /u", { base: "/b", output: "/o", user: "/u", input: "/b/input", models: "/b/models", custom_nodes: "/b/custom_nodes" }],
    ["--temp-directory /t --database-url sqlite:///:memory:", { temp: "/t/temp", temp_given: true, database_given: true }],
    ["--fast fp16_accumulation --lowvram --preview-method auto --whitelist-custom-nodes a b", { cpu: false }],
  ];
  const all = (await evaluate("options", "[options.read(line) for line in given]", rows.map(([line]) => line.split(" ").filter(Boolean)))) as Record<string, unknown>[];
  rows.forEach(([line, expected], at) => assert.deepEqual({ ...all[at], ...expected }, all[at], line));
});

test("CLI_ARGS are words as a shell's", async () => {
  const [words, faults] = (await evaluate("options", "options.words(given)", "--lowvram --output-directory '/data/my output' a\\ b \"c d\"")) as [string[], object[]];
  assert.deepEqual(words, ["--lowvram", "--output-directory", "/data/my output", "a b", "c d"]);
  assert.deepEqual(faults, []);
});

test("RUN_OPTIONS: a quote that is never closed, and a value that is none", async () => {
  const quote = (await evaluate("options", "[str(each) for each in options.words(given)[1]]", "--cpu '")) as string[];
  assert.match(quote.join(), /^error\[RUN_OPTIONS\]: CLI_ARGS: .*no closing quotation\n {2}found: {4}--cpu '\n {2}expected: .*balanced.*\n {2}fix: {6}close the quote/);
  const port = (await evaluate("options", "[str(each) for each in options.understood(given)[1]]", ["--port", "many"])) as string[];
  assert.match(port.join(), /^error\[RUN_OPTIONS\]: .*--port.*'many'/);
});

test("the driver's version is read from what the kernel module says", async () => {
  const rows: [string, number[] | null][] = [
    ["NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 07:14:19 UTC 2025\nGCC version: gcc version 12.2.0", [580, 65, 6]],
    ["NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.51.03  Release Build  (dvs-builder@U16)", [575, 51, 3]],
    ["NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.95.05  Release Build", [580, 95, 5]],
    ["something else 12.3", null],
  ];
  assert.deepEqual(await evaluate("gpu", "[gpu.driver_version(text) for text in given]", rows.map(([text]) => text)), rows.map(([, version]) => version));
});

interface Seen {
  readonly devices: readonly string[];
  readonly library: string | null;
  readonly version: string | null;
}

/** The faults of each. */
async function gpuFaults(all: readonly Seen[]): Promise<string[][]> {
  return (await evaluate("gpu", "[[str(each) for each in gpu.faults('580', '/usr/lib64:/usr/lib/x86_64-linux-gnu', gpu.Seen(**seen))] for seen in given]", all)) as string[][];
}

test("RUN_GPU_MISSING: what was looked for, and how to start with a GPU or without one", async () => {
  const device = ["/dev/nvidia0", "/dev/nvidiactl"];
  const rows: [Seen, string[]][] = [
    [{ devices: [], library: null, version: null }, ["no device /dev/nvidiactl or", "no libcuda.so.1 in /usr/lib64:/usr/lib/x86_64-linux-gnu"]],
    [{ devices: device, library: null, version: null }, ["/dev/nvidia0, /dev/nvidiactl; no libcuda.so.1 in"]],
    [{ devices: [], library: "/usr/lib64", version: null }, ["no device", "libcuda.so.1 in /usr/lib64"]],
  ];
  (await gpuFaults(rows.map(([seen]) => seen))).forEach(([text = "", ...more], at) => {
    assert.deepEqual(more, []);
    for (const part of ["error[RUN_GPU_MISSING]: ", "--gpus all", "nvidia.com/gpu=all", "--cpu", ...(rows[at]?.[1] ?? [])]) assert.ok(text.includes(part), `${part}\n${text}`);
  });
});

test("RUN_GPU_DRIVER: older than the flavor's; the same, a newer and an unknown one will do", async () => {
  const seen = (version: string | null): Seen => ({ devices: ["/dev/nvidiactl"], library: "/usr/lib64", version: version && `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${version}  Sun` });
  const [[text = ""] = [], ...good] = await gpuFaults(["575.51.03", "580", "580.65.06", "590.1", null].map(seen));
  assert.match(text, /^error\[RUN_GPU_DRIVER\]: \/proc\/driver\/nvidia\/version: .*\n {2}found: {4}575\.51\.3\n {2}expected: 580 or newer\n/);
  assert.deepEqual(good, [[], [], [], []]);
});

test("RUN_VOLUME: each cause has a remedy of its own", async () => {
  const rows = [
    ["EACCES", "/data", "4242:100", "start with --user 4242:100; or give the volume to 1000:1000: chown -R 1000:1000 FOLDER on the host"],
    ["EACCES", "/data", "0:0", "in rootless Docker or Podman, start with --user 0:0; or give the volume to 1000:1000: chown -R 1000:1000 FOLDER on the host"],
    ["EROFS", "/data", "1000:1000", "mount the volume at /data without :ro"],
    ["EROFS", "/", "0:0", "mount a volume there, as in --volume comfyui-data:/data"],
    ["ENOSPC", "/data/output", "0:0", "free space on the volume at /data/output, or give it more"],
  ];
  const found = await evaluate("errno, volume", "[volume.remedy(getattr(errno, cause), Path(mount), '1000:1000', owner) for cause, mount, owner, _ in given]", rows);
  assert.deepEqual(found, rows.map((row) => row[3]));
});

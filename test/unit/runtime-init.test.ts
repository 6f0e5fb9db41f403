/** A container's first process: signals, exit codes, and how long a stop takes. Here it is not the first, which changes none of it. */
import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { sendSignal, start } from "../support/process.ts";
import { script } from "../support/runtime-scripts.ts";

interface Row {
  readonly what: string;
  /** The program; it says `up` once it is ready. */
  readonly program: string;
  readonly signals: readonly NodeJS.Signals[];
  readonly code: number;
  readonly seconds: readonly [number, number];
  readonly says?: RegExp;
}

const READY = "import signal, sys, time; print('up', flush=True)";
const rows: readonly Row[] = [
  { what: "a program's own exit code", program: "raise SystemExit(7)", signals: [], code: 7, seconds: [0, 5] },
  { what: "a program killed by a signal", program: "import os; os.kill(os.getpid(), 9)", signals: [], code: 137, seconds: [0, 5] },
  {
    what: "SIGTERM lets a program tidy up as Ctrl-C does",
    program: `${READY}\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('tidied')`,
    signals: ["SIGTERM"], code: 0, seconds: [0, 1.4], says: /tidied/,
  },
  { what: "one that takes no notice of SIGINT", program: `import signal; signal.signal(2, signal.SIG_IGN)\n${READY}; time.sleep(60)`, signals: ["SIGTERM"], code: 143, seconds: [1.1, 2] },
  { what: "a second signal does not wait", program: `import signal; signal.signal(2, signal.SIG_IGN)\n${READY}; time.sleep(60)`, signals: ["SIGTERM", "SIGTERM"], code: 143, seconds: [0, 1.4] },
  {
    what: "one that takes no notice of anything",
    program: `import signal; signal.signal(2, signal.SIG_IGN); signal.signal(15, signal.SIG_IGN)\n${READY}; time.sleep(60)`,
    signals: ["SIGINT"], code: 130, seconds: [1.9, 3],
  },
  { what: "other signals are passed on", program: `import signal; signal.signal(10, lambda *_: sys.exit(5))\n${READY}; time.sleep(60)`, signals: ["SIGUSR1"], code: 5, seconds: [0, 1.4] },
];

for (const { what, program, signals, code, seconds: [least, most], says } of rows) {
  test(`${what}: ${code}`, async () => {
    const init = start("python3", script("import init; sys.exit(init.run([sys.executable, '-u', '-c', given], dict(os.environ)))", program));
    let began = performance.now();
    if (signals.length > 0) {
      await init.outputMatches(/up/);
      began = performance.now();
      for (const signal of signals) {
        sendSignal(init.pid, signal);
        // Two at once are one.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    const { code: found, stdout } = await init.done;
    const took = (performance.now() - began) / 1000;
    assert.equal(found, code);
    assert.ok(took >= least && took <= most, `${took} s`);
    if (says) assert.match(stdout, says);
  });
}

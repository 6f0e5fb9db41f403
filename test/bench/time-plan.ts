/** `node test/bench/time-plan.ts FOLDER`: seconds until every fingerprint of a layers/ folder is known, in a process of its own. */
import { readPlan } from "../../infra/read-plan.ts";

const started = performance.now();
readPlan(process.argv[2] as string, {}, () => true);
process.stdout.write(`${(performance.now() - started) / 1000}\n`);

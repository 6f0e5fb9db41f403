/** What the role `instance` makes of a bare Debian 13 build host: it knows when it is idle, and how to log in to ECR. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { instanceSettings } from "../../infra/aws/instance-settings.ts";
import { cloudConfig } from "../../infra/aws/user-data.ts";
import type { BootstrapSettings } from "../../infra/bootstrap.ts";
import { textFor } from "../../infra/bootstrap-text.ts";
import { HostMachine } from "../support/host-machine.ts";
import { HostNetwork } from "../support/host-network.ts";

const network = await HostNetwork.start();
after(() => network.stop());

const REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
const place = { accountId: "123456789012", region: "us-east-1", stack: "team" };
const instance = (idleMinutes: number) => instanceSettings({ place, role: "build-host", metrics: { disk: false, work: false }, registry: REGISTRY, idleMinutes, gpu: false, sessions: false });

/** Runs the watch as its timer does, with a word in place of the stop, and the host idle for so many minutes already. */
const WATCH = `set -eu
mkdir -p /tmp/stop /run/comfyui-watch
printf '#!/bin/sh\\necho "systemctl $*"\\n' >/tmp/stop/systemctl
chmod +x /tmp/stop/systemctl
touch -d '-30 minutes' /run/comfyui-watch/busy
PATH=/tmp/stop:$PATH RUNTIME_DIRECTORY=/run/comfyui-watch /usr/local/lib/comfyui/watch.sh 2>/dev/null`;

test("a build host on EC2", async (t) => {
  await using machine = await HostMachine.start(network, { name: "ec2", diskMiB: 1500 });
  const build: BootstrapSettings = { role: "build", stack: "team", authorizedKeys: [network.adminKey.public], substituters: [], trustedPublicKeys: [], netrc: null, builders: [], minFreeGiB: 0, maxFreeGiB: 0, volume: machine.disk ?? null };
  const bootstrap = (settings: BootstrapSettings) => machine.ssh("bash -s", { input: textFor(settings) });
  await bootstrap(build);
  await machine.ssh("mkdir -p comfyui/team && echo kept >comfyui/team/file", { user: "comfyui" });

  await t.test("is set up by a text that changes nothing the second time", async () => {
    await machine.bash("install -d -o comfyui -g comfyui -m 700 /nix/comfyui/.config/containers && echo '{\"auths\": {\"registry.example\": {}}}' >/nix/comfyui/.config/containers/auth.json");
    const first = await bootstrap(instance(20));
    assert.deepEqual(JSON.parse(first.stdout), { role: "instance", hostRole: "build-host" });
    const again = await bootstrap(instance(20));
    assert.deepEqual([again.stdout, again.stderr], [first.stdout, ""]);
    await machine.bash("systemd-analyze verify --man=no comfyui-watch.service comfyui-watch.timer && sshd -t && aws --version && ls /etc/systemd/system/timers.target.wants/comfyui-watch.timer");
    assert.match((await machine.bash("sshd -T")).stdout, /^clientaliveinterval 30$/m);
  });

  await t.test("logs in to ECR by its role, and to other registries as before", async () => {
    const { stdout } = await machine.ssh("cat .config/containers/auth.json && command -v docker-credential-ecr-login", { user: "comfyui" });
    assert.deepEqual(JSON.parse(stdout.slice(0, stdout.lastIndexOf("}") + 1)), { auths: { "registry.example": {} }, credHelpers: { [REGISTRY]: "ecr-login" } });
    // Without a role there is nothing to log in with; it is the helper that says so.
    const { stderr } = await machine.ssh(`AWS_EC2_METADATA_DISABLED=true skopeo inspect docker://${REGISTRY}/comfyui:x`, { user: "comfyui", allowFailure: true });
    assert.match(stderr, /ecr|credential/i);
  });

  await t.test("VERIFY_DOCKER: is to try the image without Docker; with it, its admin may use it, and logs in by the role too", async () => {
    await machine.bash("useradd --create-home admin");
    const text = textFor({ ...instance(20), docker: "admin" });
    const { stderr } = await machine.ssh("bash -s", { input: text, allowFailure: true });
    assert.match(stderr, /^error\[VERIFY_DOCKER\]: this host is to try the image, and has no Docker$/m);
    await machine.bash("groupadd docker");
    await machine.ssh("bash -s", { input: text });
    assert.match((await machine.bash("id -nG admin")).stdout, /\bdocker\b/);
    assert.deepEqual(JSON.parse((await machine.bash("cd && su admin -c 'cat ~/.docker/config.json'")).stdout), { credHelpers: { [REGISTRY]: "ecr-login" } });
    assert.equal((await machine.ssh("bash -s", { input: text })).stderr, "", "again, nothing changes");
  });

  await t.test("is idle when nobody is there, and not while somebody is or something is built", async () => {
    assert.equal((await machine.bash(WATCH)).stdout, "systemctl poweroff\n");
    assert.equal((await machine.ssh(WATCH)).stdout, "", "an SSH session: this one");
    await machine.startUnits();
    await machine.bash(`su comfyui -c 'cd && echo "derivation { name = \\"s\\"; system = \\"x86_64-linux\\"; builder = \\"/bin/sh\\"; args = [ \\"-c\\" \\"read x </dev/zero\\" ]; }" >s.nix && exec nix-build --no-out-link s.nix' >/tmp/build.log 2>&1 </dev/null & echo $! >/tmp/build.pid; for _ in $(seq 100); do pgrep -G nixbld >/dev/null && exit; sleep 0.2; done; cat /tmp/build.log; exit 1`);
    assert.equal((await machine.bash(WATCH)).stdout, "", "a build");
    await machine.bash("pkill -u comfyui nix-build; for _ in $(seq 100); do pgrep -G nixbld >/dev/null || exit 0; sleep 0.2; done; exit 1");
    assert.equal((await machine.bash(WATCH)).stdout, "systemctl poweroff\n");
  });

  await t.test("runs the agent of Systems Manager from nixpkgs where it is wanted, and none where the image has one", async () => {
    // What is there of the agent in nixpkgs, in its place: nixpkgs cannot be reached from here.
    await machine.bash(`mkdir -p /tmp/nixpkgs/agent/bin /tmp/nixpkgs/agent/etc/amazon/ssm && cd /tmp/nixpkgs
echo '{ outputs = _: { packages.x86_64-linux.amazon-ssm-agent = builtins.path { path = ./agent; name = "amazon-ssm-agent"; }; }; }' >flake.nix
printf '#!/bin/sh\nexec sleep 86400\n' >agent/bin/amazon-ssm-agent && chmod +x agent/bin/amazon-ssm-agent
for each in amazon-ssm-agent.json seelog.xml; do echo "$each" >agent/etc/amazon/ssm/$each.template; done`);
    const wanted = { ...instance(20), sessions: "path:/tmp/nixpkgs" };
    await bootstrap(wanted);
    assert.deepEqual((await bootstrap(wanted)).stderr, "", "the second time it changes nothing");
    await machine.bash("systemd-analyze verify --man=no amazon-ssm-agent.service && ls /etc/systemd/system/multi-user.target.wants/amazon-ssm-agent.service");
    const { stdout } = await machine.bash("sed -n 's/^ExecStart=//p' /etc/systemd/system/amazon-ssm-agent.service; cat /etc/amazon/ssm/*");
    assert.match(stdout, /^\/nix\/store\/[a-z0-9]{32}-amazon-ssm-agent\/bin\/amazon-ssm-agent\namazon-ssm-agent\.json\nseelog\.xml\n$/);

    const missing = { ...wanted, sessions: "path:/tmp/none" };
    const { code, stderr } = await machine.ssh("bash -s", { input: textFor(missing), allowFailure: true });
    assert.notEqual(code, 0);
    assert.match(stderr, /^error\[AWS_SESSION_AGENT\]: .*\n {2}found: {4}path:\/tmp\/none\n {2}fix: {6}.*cache\.nixos\.org/m);
    await machine.bash("mkdir -p /snap/amazon-ssm-agent");
    await bootstrap(missing);
    await machine.bash("systemctl disable amazon-ssm-agent.service && rm -r /snap /etc/systemd/system/amazon-ssm-agent.service");
  });

  await t.test("cloud-init takes what a new instance is told", async () => {
    await machine.bash("DEBIAN_FRONTEND=noninteractive apt-get -y -qq install --no-install-recommends cloud-init");
    const check = (text: string) => machine.run(["sh", "-c", "cat >/tmp/user-data && cloud-init schema --config-file /tmp/user-data"], { input: text, allowFailure: true });
    const config = cloudConfig({ region: "us-east-1", secret: "comfyui/team/build-host", authorizedKeys: [network.adminKey.public] });
    const { code, stdout, stderr } = await check(config);
    assert.equal(code, 0, stdout + stderr);
    // The check finds what is wrong.
    assert.notEqual((await check(config.replace('"runcmd":[[', '"runcmd":5,"x":[['))).code, 0);
    const script = (JSON.parse(config.replace("#cloud-config\n", "")) as { write_files: [{ content: string }] }).write_files[0].content;
    await machine.run(["bash", "-n", "-"], { input: script });
  });

  await t.test("a new system with the same disk goes on with the stacks' folders", async () => {
    // What a new machine has not: the user, whose number somebody else has there.
    await machine.bash("userdel comfyui && useradd --uid $(stat -c %u /nix/comfyui) somebody");
    await bootstrap(build);
    assert.equal((await machine.ssh("cat comfyui/team/file && stat -c %U comfyui/team/file && pwd", { user: "comfyui" })).stdout, "kept\ncomfyui\n/nix/comfyui\n");
  });
});

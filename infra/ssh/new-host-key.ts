/** Makes an SSH key pair and writes it as one JSON object: {privateKey, publicKey}. A program of its own: its output is kept in the stack's state, as a secret. */
import ssh2 from "ssh2";

const { private: privateKey, public: publicKey } = ssh2.utils.generateKeyPairSync("ed25519", { comment: "" });
process.stdout.write(JSON.stringify({ privateKey, publicKey: publicKey.trim() }));

/** The program `pulumi-resource-command`, as the engine starts it. */
import services from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { engineAddress, serve } from "../serve.ts";
import { logTo } from "./log.ts";
import { provider } from "./provider.ts";

const engine = engineAddress();
await serve(engine, services.ResourceProviderService, provider(logTo(engine)));

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { metricNamespace, type Place, type Role } from "./names.ts";

export interface AlarmsArgs {
  readonly place: Place;
  readonly email: string;
  readonly hosts: readonly { readonly role: Role; readonly instanceId: pulumi.Input<string> }[];
}

/** Per cent of a disk from which on somebody is told. */
const DISK_FULL = 85;

/** Tells a person of a host that fails its checks and of a disk that fills. Cost: 0.10 USD a month each, 0.30 for a host's metric. */
export class Alarms extends pulumi.ComponentResource {
  constructor(name: string, { place, email, hosts }: AlarmsArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:Alarms", name, {}, options);
    const parent = { parent: this };
    const topic = new aws.sns.Topic(`${name}-topic`, { displayName: `comfyui ${place.stack}` }, parent);
    new aws.sns.TopicSubscription(`${name}-email`, { topic: topic.arn, protocol: "email", endpoint: email }, parent);
    const common = { comparisonOperator: "GreaterThanOrEqualToThreshold", alarmActions: [topic.arn], okActions: [topic.arn] };
    for (const { role, instanceId } of hosts) {
      new aws.cloudwatch.MetricAlarm(
        `${name}-${role}-fails`,
        // A host that is stopped has no data, and is well.
        { ...common, namespace: "AWS/EC2", metricName: "StatusCheckFailed", dimensions: { InstanceId: instanceId }, statistic: "Maximum", period: 60, evaluationPeriods: 5, threshold: 1, treatMissingData: "notBreaching", alarmDescription: `${role} fails its checks` },
        parent,
      );
      new aws.cloudwatch.MetricAlarm(
        `${name}-${role}-disk`,
        { ...common, namespace: metricNamespace(place), metricName: "DiskUsed", dimensions: { Role: role }, statistic: "Maximum", period: 300, evaluationPeriods: 3, threshold: DISK_FULL, treatMissingData: "notBreaching", alarmDescription: `/nix of the ${role} is ${DISK_FULL} % full` },
        parent,
      );
    }
    this.registerOutputs({});
  }
}

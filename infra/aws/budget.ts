import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Place } from "./names.ts";

export interface StackBudgetArgs {
  readonly place: Place;
  readonly email: string;
  readonly usdPerMonth: number;
}

/**
 * Tells a person when the stack's cost of the month is going to exceed the sum; it stops nothing. Free of charge. The tag
 * comfyui:stack has to be made a cost allocation tag first (Billing console, once for an account); until then it counts nothing.
 */
export class StackBudget extends pulumi.ComponentResource {
  constructor(name: string, { place, email, usdPerMonth }: StackBudgetArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:Budget", name, {}, options);
    const notify = (notificationType: "ACTUAL" | "FORECASTED", threshold: number) => ({ notificationType, threshold, thresholdType: "PERCENTAGE", comparisonOperator: "GREATER_THAN", subscriberEmailAddresses: [email] });
    new aws.budgets.Budget(
      `${name}-month`,
      {
        budgetType: "COST",
        timeUnit: "MONTHLY",
        limitAmount: `${usdPerMonth}`,
        limitUnit: "USD",
        costFilters: [{ name: "TagKeyValue", values: [`user:comfyui:stack$${place.stack}`] }],
        notifications: [notify("FORECASTED", 100), notify("ACTUAL", 80)],
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}

import { z } from 'zod';

export const tierNames = ['free', 'premium', 'enterprise'] as const;
export const tierSchema = z.enum(tierNames);
export type Tier = z.infer<typeof tierSchema>;

const count = (max: number) => z.number().int().min(1).max(max);

/** Limits and weight of one tier. Counts are accepted turns of one principal. */
export const tierPolicySchema = z.object({
  per_hour: count(10_000_000),
  per_minute: count(1_000_000),
  /** Accepted and not ended, at once. */
  in_flight: count(100_000),
  /** Share under contention, relative to the other tiers. */
  weight: count(1000),
});
export type TierPolicy = z.infer<typeof tierPolicySchema>;

/** Limits over all turns of a tenant: a token bucket of `burst` refilled with `per_minute`. */
export const tenantLimitSchema = z.object({ per_minute: count(10_000_000), burst: count(10_000_000) });

export const policySchema = z.object({
  tiers: z.object({ free: tierPolicySchema, premium: tierPolicySchema, enterprise: tierPolicySchema }),
  tenant: tenantLimitSchema,
});
export type Policy = z.infer<typeof policySchema>;

/** The parts of a policy that differ from the defaults. */
export const policyPatchSchema = z.strictObject({
  tiers: z
    .strictObject({
      free: tierPolicySchema.partial().strict().optional(),
      premium: tierPolicySchema.partial().strict().optional(),
      enterprise: tierPolicySchema.partial().strict().optional(),
    })
    .optional(),
  tenant: tenantLimitSchema.partial().strict().optional(),
});
export type PolicyPatch = z.infer<typeof policyPatchSchema>;

/** An origin as browsers send it. */
const origin = z
  .string()
  .max(300)
  .regex(/^https?:\/\/(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::[1-9]\d{0,4})?$/, 'must be an origin such as https://shop.example')
  .refine((value) => {
    try {
      return new URL(value).origin === value;
    } catch {
      return false;
    }
  }, 'must be an origin as browsers send it: no path, no default port');

/** What `PUT /api/v1/admin/tenants/{id}/policy` takes. It replaces what was set before: what is absent is back at its default. */
export const tenantPolicyBody = policyPatchSchema.extend({
  /** Pages that may call and connect, beside those of CORS_ORIGINS. */
  cors_origins: z.array(origin).max(50).default([]),
});
/** What is in force for a tenant. */
export const tenantPolicySchema = policySchema.extend({ cors_origins: z.array(z.string()) });
export type TenantPolicy = z.infer<typeof tenantPolicySchema>;

/** The defaults; a tenant's own policy may say otherwise. */
export const defaultPolicy: Policy = {
  tiers: {
    free: { per_hour: 50, per_minute: 10, in_flight: 2, weight: 1 },
    premium: { per_hour: 500, per_minute: 60, in_flight: 8, weight: 4 },
    enterprise: { per_hour: 5000, per_minute: 200, in_flight: 64, weight: 16 },
  },
  tenant: { per_minute: 1000, burst: 2000 },
};

/** The policy in force: `patch` over `base`. */
export function applyPolicy(base: Policy, patch: PolicyPatch): Policy {
  const tier = (name: Tier): TierPolicy => ({ ...base.tiers[name], ...patch.tiers?.[name] });
  return {
    tiers: { free: tier('free'), premium: tier('premium'), enterprise: tier('enterprise') },
    tenant: { ...base.tenant, ...patch.tenant },
  };
}

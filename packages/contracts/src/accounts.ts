import { z } from 'zod';
import { text, timestamp } from './text.js';
import { tierSchema } from './tiers.js';

export const roleSchema = z.enum(['fan', 'creator', 'integrator', 'operator']);
export type Role = z.infer<typeof roleSchema>;

const email = z.email().max(254);
const password = text(8, 200);
const refreshToken = text(16, 512);

/** `POST /api/v1/auth/register`. With a guest's access token as credential, the guest becomes this account and keeps its conversations. */
export const registerBody = z.object({
  email,
  password,
  display_name: text(1, 80).optional(),
  role: z.enum(['fan', 'creator']).default('fan'),
});

/** `POST /api/v1/auth/login`. `guest_refresh_token` moves that guest's conversations to the account. */
export const loginBody = z.object({
  email: text(1, 254),
  password: text(1, 200),
  guest_refresh_token: refreshToken.optional(),
});
export const refreshBody = z.object({ refresh_token: refreshToken });

/** Fields of a profile; `locale` is a BCP 47 tag. */
export const profilePatch = z.strictObject({
  display_name: text(1, 80).optional(),
  locale: z
    .string()
    .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'must be a language tag such as en or pt-BR')
    .max(35)
    .optional(),
});

export const userSchema = z.object({
  id: z.string(),
  /** null for a guest */
  email: z.string().nullable(),
  display_name: z.string(),
  role: roleSchema,
  tier: tierSchema,
});
export type UserView = z.infer<typeof userSchema>;

export const profileSchema = userSchema.extend({
  locale: z.string().nullable(),
  tenant_id: z.string(),
  guest: z.boolean(),
  created_at: timestamp,
});
export type ProfileView = z.infer<typeof profileSchema>;

/** The answer of register, login, guest and refresh. `expires_in` in seconds. */
export const sessionSchema = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int(),
  user: userSchema,
});
export type SessionView = z.infer<typeof sessionSchema>;

export const keyBody = z.object({ name: text(1, 80), tier: tierSchema });
export const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  tier: tierSchema,
  /** First characters of the key, to recognise it by. */
  prefix: z.string(),
  created_at: timestamp,
  last_used_at: timestamp.nullable(),
});
export type KeyView = z.infer<typeof keySchema>;
/** `key` is shown this once. */
export const createdKeySchema = keySchema
  .pick({ id: true, name: true, tier: true, created_at: true })
  .extend({ key: z.string() });

export const tenantBody = z.object({ name: text(1, 80) });
export const createdTenantSchema = z.object({ id: z.string(), name: z.string(), api_key: z.string() });
export const wsTicketSchema = z.object({ ticket: z.string(), expires_in: z.literal(30) });

import { z } from 'zod';

/** ISO 8601 in UTC with milliseconds. */
export const time = z.string().meta({ format: 'date-time' });

/** Counted from 1, without gaps, within a conversation's log. */
export const seq = z.number().int();

/** A whole number from 0. */
export const count = z.number().int();

/** US dollars; null where a price is not known. */
export const cost = z.number().nullable();

/** Who did something: somebody through a route, or the platform itself. */
export const by = z.enum(['user', 'system']);

/** The name of the key with which it was done, where there are keys. */
export const key = z.string().optional();

import { type Client, createClient } from '../src/client/index.ts';

/** The server of the environment, http://127.0.0.1:8080 where it names none. */
export function connect(baseUrl = process.env['AIC_SERVER'] || 'http://127.0.0.1:8080'): Client {
  return createClient({ baseUrl, apiKey: process.env['AIC_API_KEY'] || undefined });
}

/**
 * The SDKs of OpenAI and Anthropic add the headers that a variable of the environment lists (one
 * `Name: value` a line) to every request, whoever it is sent to; among them there may be a gateway's key.
 * Gives each of those names the value null, which takes it out again. Only what the configuration
 * names is to have an effect, and nothing meant for one vendor may reach another.
 */
export function withoutCustomHeaders(variable: string): Record<string, null> {
  const lines = process.env[variable]?.split('\n') ?? [];
  const names = lines
    .filter((line) => line.includes(':'))
    .map((line) => line.slice(0, line.indexOf(':')).trim());
  return Object.fromEntries(names.map((name) => [name, null]));
}

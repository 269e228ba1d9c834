import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ConfigurationError } from './configuration-error.ts';

const SERVICE_NAME = 'ai-conversation-platform';

/**
 * The variables that OpenTelemetry's SDK reads by itself, from the environment and a `.env` file, with a name
 * for the service where none is given.
 */
export function openTelemetryVariables(
  variables: NodeJS.ProcessEnv,
  dotEnvPath = '.env',
): Record<string, string> {
  const all = [...Object.entries(readDotEnv(dotEnvPath)), ...Object.entries(variables)];
  const given: Record<string, string> = {};
  for (const [name, value] of all) if (name.startsWith('OTEL_') && value) given[name] = value.trimEnd();
  if (/(?:^|,)\s*service\.name\s*=/.test(given['OTEL_RESOURCE_ATTRIBUTES'] ?? '')) return given;
  return { OTEL_SERVICE_NAME: SERVICE_NAME, ...given };
}

/** @throws ConfigurationError where it can't be read, or is no text */
export function readDotEnv(path: string): NodeJS.Dict<string> {
  if (!existsSync(path)) return {};
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new ConfigurationError([`${path}: can't be read: ${(error as NodeJS.ErrnoException).code}`]);
  }
  const text = decode(bytes);
  if (text === undefined) {
    throw new ConfigurationError([`${path}: is neither UTF-8 nor UTF-16 with a mark; save it as UTF-8`]);
  }
  return parseEnv(text.replaceAll(/\r\n?/g, '\n'));
}

/** The text without its byte order mark; Windows writes UTF-16 with one. Undefined where it is in another encoding. */
function decode(bytes: Buffer): string | undefined {
  const encoding = UTF_16.find(([mark]) => bytes.subarray(0, 2).equals(mark))?.[1] ?? 'utf-8';
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    // UTF-16 without a mark passes for UTF-8.
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

const UTF_16 = [
  [Buffer.of(0xff, 0xfe), 'utf-16le'],
  [Buffer.of(0xfe, 0xff), 'utf-16be'],
] as const;

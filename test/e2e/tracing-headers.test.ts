import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { startCollector } from '../fixtures/collector.ts';
import { call } from '../fixtures/http.ts';
import { startServer } from '../fixtures/server.ts';
import { answer, startVendor } from '../fixtures/vendors.ts';

const DOCUMENT = readFileSync(new URL('../../docs/kubernetes.md', import.meta.url), 'utf8');
/** What is set there for a mesh that writes B3. */
const WITH_B3 = /OTEL_PROPAGATORS: "(.*)"/.exec(DOCUMENT)?.[1] ?? 'none';
const INCOMING = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const W3C = { traceparent: `00-${INCOMING}-${PARENT}-01` };
const B3 = { 'x-b3-traceid': INCOMING, 'x-b3-spanid': PARENT, 'x-b3-sampled': '1' };

/** Where a conversation's trace belongs that was made with these headers, and with which headers its vendor was called. */
async function passedOn(propagators: string, headers: Record<string, string>) {
  const collector = await startCollector();
  const vendor = await startVendor('openai', answer('Tea is a leaf.'));
  onTestFinished(vendor.close);
  const { url } = await startServer({
    LOCAL_BASE_URL: vendor.baseUrl,
    LOCAL_MODEL: 'm',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: '50',
    ...(propagators === '' ? {} : { OTEL_PROPAGATORS: propagators }),
  });
  const agents = [{ provider: 'local' }, { provider: 'embedded' }];
  const made = await call(url, '/conversations', { body: { topic: 'Tea?', agents, maxTurns: 1 }, headers });
  expect(made.status).toBe(201);
  const { headers: sent } = await vendor.arrived();
  const request = () => collector.spans.find(({ name }) => name === 'POST /conversations');
  const calling = () => collector.spans.find(({ name }) => name === 'POST');
  await collector.until(() => request() !== undefined && calling() !== undefined);
  return {
    incoming: { trace: request()?.traceId, parent: request()?.parentId },
    call: { trace: calling()?.traceId, span: calling()?.id },
    sent,
  };
}

it.each([
  ['traceparent, as it comes', '', W3C],
  ['traceparent, where B3 is spoken, too', WITH_B3, W3C],
  ['B3, as docs/kubernetes.md sets it', WITH_B3, B3],
])('a trace goes on from a request to the vendor: %s', async (_, propagators, headers) => {
  const { incoming, call: calling, sent } = await passedOn(propagators, headers);
  expect(incoming).toEqual({ trace: INCOMING, parent: PARENT });
  expect(calling.trace).toBe(INCOMING);
  expect(sent['traceparent']).toBe(`00-${INCOMING}-${calling.span}-01`);
  expect([sent['x-b3-traceid'], sent['x-b3-spanid']]).toEqual(
    propagators === '' ? [undefined, undefined] : [INCOMING, calling.span],
  );
});

it('with OTEL_PROPAGATORS=none nothing is taken over, and nothing told to vendors', async () => {
  const { incoming, sent } = await passedOn('none', { ...W3C, ...B3 });
  expect(incoming.trace).not.toBe(INCOMING);
  expect(Object.keys(sent).filter((name) => /^(traceparent|baggage|b3|x-b3-.*)$/.test(name))).toEqual([]);
});

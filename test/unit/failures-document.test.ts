import { expect, it } from 'vitest';
import { PROVIDER_FAILURES } from '../../src/conversation/turn/provider.ts';
import { DOCUMENTED_FAILURES } from '../fixtures/failures-document.ts';

it('docs/failures.md says of each failure what the code does', () => {
  expect(DOCUMENTED_FAILURES).toEqual(PROVIDER_FAILURES);
});

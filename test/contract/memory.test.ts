import { MemoryStorage } from '../../src/storage/memory.ts';
import { asked } from '../fixtures/storage.ts';
import { describeQueue } from './log.ts';

describeQueue('memory', (live) => asked(new MemoryStorage(live)));

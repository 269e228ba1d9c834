import { MemoryStorage } from '../../src/storage/memory.ts';
import { describeQueue } from './log.ts';

describeQueue('memory', (live) => new MemoryStorage(live));
